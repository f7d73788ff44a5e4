"""Cases: what happened to whom, what may be said of it, and whom people write to."""
