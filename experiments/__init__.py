"""The absl entry points: each short, each with a --help that helps."""
