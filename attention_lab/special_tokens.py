"""The ids of the special tokens, which are the same in every vocabulary."""

PAD, UNKNOWN, START, END = range(4)
