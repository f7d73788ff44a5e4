"""Kits: what unions forward to their members; wording, editions, messages, making, pages, announcements, progress."""
