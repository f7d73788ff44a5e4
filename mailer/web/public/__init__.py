"""The public site, one file a page or a few."""
