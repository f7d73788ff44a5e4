"""Running an installation: the queue, logs, the schema, housekeeping."""
