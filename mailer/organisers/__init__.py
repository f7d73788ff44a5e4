"""Organisers: who may come to the desk, how they prove who they are, and what they may do there."""
