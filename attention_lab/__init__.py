"""attention_lab: every attention mechanism is a pure function of one query and one key."""

__version__ = "0.1.0"
