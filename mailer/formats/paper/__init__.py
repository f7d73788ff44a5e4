"""A campaign on paper and as a picture: knows pages, and nothing of databases, web or e-mail."""
