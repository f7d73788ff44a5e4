"""Countries, languages and translations. It knows nothing of us: no database, no model, no setting."""
