"""Training of which nothing stays."""
