"""Evaluation: records of what attention said, and how good it and the text are. Nothing is loaded by this line."""
