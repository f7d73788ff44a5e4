"""What mail servers, mail programs and providers send back: bytes → what it is and about whom. Knows nothing of us."""
