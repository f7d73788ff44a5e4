"""File formats: CSV, SVG, PNG, ZIP and paper. It knows nothing of us: no database, no model, no setting."""
