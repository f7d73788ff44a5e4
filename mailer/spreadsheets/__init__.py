"""People and unions, in and out as CSV."""
