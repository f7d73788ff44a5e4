"""Unions: the directory and its trees, contacts, affiliation and applications."""
