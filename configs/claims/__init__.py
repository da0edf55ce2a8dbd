"""Configs of the studies that decide claims of the literature."""
