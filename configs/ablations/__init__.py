"""Studies: a base config, and the arms that differ from it."""
