"""Rows of results that are made by hand: nothing is trained, and what is in them is known."""

from attention_lab.evaluation import metrics

BLEU, AER = METRICS = metrics.bleu(), metrics.alignment_error()
WORDS = 8  # of every sentence


def bleu_parts(right):
    """What BLEU counts in a sentence whose first words are right, and no others."""
    matches = [max(right - n, 0) for n in range(4)]
    return [*matches, *(WORDS - n for n in range(4)), WORDS, WORDS]


def link_parts(right):
    """What the alignment error counts, with a link for each word."""
    return [WORDS, right, right, WORDS]


def class_parts(right, classes=5, of=1):
    """How many words of each class are right, and are there: all are of one class."""
    return [[right, WORDS] if n == of else [0, 0] for n in range(classes)]


def curve(*bleu, tokens=100):
    """What validation said, at equal steps."""
    steps = [tokens * (n + 1) // len(bleu) for n in range(len(bleu))]
    return [
        {"tokens": t, "bleu": b, "perplexity": 100.0 - b} for t, b in zip(steps, bleu, strict=True)
    ]


def row(arm, seed, right, *, links=False, long=(), validation=(50.0, 50.0), **more):
    """A row, from how many words of each sentence are right; `long`: the sentences whose source is long."""
    parts = {
        "bleu": [bleu_parts(n) for n in right],
        "source_words": [40 if n in long else 5 for n in range(len(right))],
        "frequency": [class_parts(n) for n in right],
    }
    if links:
        parts["aer"] = [link_parts(n) for n in right]
    return {
        "arm": arm,
        "seed": seed,
        "split": "test",
        "statistics": {"test": parts},
        "curve": curve(*validation),
        **more,
    }


def rows(arm, table, **more):
    """The rows of an arm's seeds 0, 1, ..; table: how many words are right [seeds][sentences]."""
    return [row(arm, seed, right, **more) for seed, right in enumerate(table)]
