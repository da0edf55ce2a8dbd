"""The command-line entry points. `--help` of each describes its purpose, its flags and its exit status."""
