"""Looking at a whole installation: what is wrong with it, or will be, and what to do. Nothing is sent or changed."""
