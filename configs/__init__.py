"""One get_config() per file; its docstring says the command, the time and what to expect."""
