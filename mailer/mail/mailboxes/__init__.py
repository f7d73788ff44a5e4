"""Mailboxes that messages are taken from: what is handled leaves, and what is somebody's own stays as it was."""
