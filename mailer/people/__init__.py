"""People: subscribers and lists, what they agreed to, the suppression list, mailed links, and notices owed to them."""
