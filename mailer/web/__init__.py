"""The public site: views that translate between HTTP and the domain."""
