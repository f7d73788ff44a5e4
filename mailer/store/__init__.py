"""The database: engine and sessions, encryption at rest, the scope of one union, and the tables."""
