"""Reports, read-only: progress and refusals of a campaign, results of unions."""
