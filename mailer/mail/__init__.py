"""Everything that knows e-mail and nothing of subscribers, campaigns or databases."""
