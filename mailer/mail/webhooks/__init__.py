"""What mail providers post to us of mails that they took: proved to come from them, and read into `Feedback`."""
