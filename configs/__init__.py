"""Configs. Each file defines get_config(), and its docstring has the command, the time and the expected scores."""
