"""Tocsin: an e-mail campaign engine for international solidarity campaigns."""
