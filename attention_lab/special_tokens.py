"""The marks that stand among the tokens of a sentence: their ids in every vocabulary."""

PAD, UNKNOWN, START, END = range(4)
