"""What runs in the background: RQ jobs and the sweeper, one domain call each."""
