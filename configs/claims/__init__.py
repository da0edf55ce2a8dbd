"""Studies that decide claims of the literature."""
