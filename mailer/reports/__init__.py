"""Reports, read-only: progress and refusals of a campaign, results of unions; small numbers stay hidden."""
