"""Configs of studies: each has a base config, and arms that differ from it."""
