"""Campaigns: life cycle, deadlines, targets, audiences, texts as files, editions, readiness and publishing."""
