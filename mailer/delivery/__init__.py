"""Delivery: the ledger, control of campaigns, sending and sweeping, the outbox, composing, verdicts, recovery."""
