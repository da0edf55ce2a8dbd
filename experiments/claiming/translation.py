"""Claims about translation models: each compares arms of a study, by the arms' names.

The names are those of configs/claims; a study that lacks an arm leaves the claims about it undecided.
"""

from collections.abc import Callable, Sequence

import numpy as np

from attention_lab.evaluation import statistics
from attention_lab.evaluation.statistics import Interval
from experiments import findings
from experiments.claiming.contracts import Claim, above, below, within
from experiments.findings import METRICS
from experiments.rows import Row

Quantity = Callable[[Sequence[Row]], Interval | None]
BLEU, AER = METRICS
SHORT, LONG = 10, 31  # words of the source: up to, and from
RARE = (1,)  # classes of frequency: seen 1 to 9 times
MOVED = (2, 3)  # classes of order: two places away, and further
BAHDANAU = "Bahdanau et al. 2015"
LUONG = "Luong et al. 2015"
VASWANI = "Vaswani et al. 2017"
BRITZ = "Britz et al. 2017"


def more(arm: str, other: str) -> Quantity:
    """How much more BLEU an arm has than another."""
    return lambda rows: findings.difference(rows, arm, other, BLEU)


def alignment_error(arm: str) -> Quantity:
    """An arm's alignment error, in percent."""

    def quantity(rows):
        parts = findings.parts_of(rows, arm, AER)
        return None if parts is None else _interval(statistics.contributions(parts, AER.of))

    return quantity


def more_words(arm: str, other: str, name: str, classes: Sequence[int]) -> Quantity:
    """How many more words of some classes, in percent of them, an arm gets right than another."""

    def quantity(rows):
        a, b = (findings.words_of_classes(rows, one, name, classes) for one in (arm, other))
        if a is None or b is None or not a.shape[1]:
            return None
        ratio = statistics.ratio_of
        return _interval(statistics.contributions(a, ratio) - statistics.contributions(b, ratio))

    return quantity


def loss_with_length(arm: str) -> Quantity:
    """How much BLEU an arm loses from short sentences to long ones."""

    def quantity(rows):
        short, long = _short_and_long(rows, arm)
        return None if short is None or long is None else _minus(_interval(short), _interval(long))

    return quantity


def gain_with_length(arm: str, other: str) -> Quantity:
    """How much more an arm's lead over another is on long sentences than on short ones, in BLEU."""

    def quantity(rows):
        a, b = _short_and_long(rows, arm), _short_and_long(rows, other)
        if any(part is None for part in (*a, *b)):
            return None
        short, long = (_interval(one - two) for one, two in zip(a, b, strict=True))
        return _minus(long, short)

    return quantity


def of_seeds(arm: str, other: str | None, of: Callable[[Row], float | None]) -> Quantity:
    """A number that each seed has one of: an arm's own, or by how much it is more than another's."""

    def quantity(rows):
        every = [[of(row) for row in findings.of_arm(rows, one)] for one in (arm, other) if one]
        if any(value is None for each in every for value in each) or len(every[0]) < 2:
            return None
        values = np.array(every[0]) - (np.array(every[1]) if other else 0)
        return statistics.of_seeds(values)

    return quantity


def perplexity(row: Row) -> float:
    """Of the validation set, at the end of training."""
    return row["curve"][-1]["perplexity"]


def agreement(of: str) -> Callable[[Row], float | None]:
    """Between "seeds" or "heads", in percent."""

    def percent(row):
        found = row.get("agreement", {}).get(of)
        return None if found is None else 100 * found

    return percent


def _short_and_long(rows, arm):
    both = (findings.bleu_of_lengths(rows, arm, *span) for span in ((1, SHORT), (LONG, np.inf)))
    # Fewer than twenty sentences have no BLEU worth a verdict.
    return [
        None
        if parts is None or parts.shape[1] < 20
        else statistics.contributions(parts, statistics.bleu_of)
        for parts in both
    ]


def _interval(values):
    return statistics.interval(values) if min(values.shape) > 1 else None


def _minus(one, other):
    return None if one is None or other is None else statistics.minus(one, other)


CLAIMS = (
    Claim(
        "attention",
        "Attention translates better than a fixed context.",
        f"{BAHDANAU}, table 1",
        "BLEU, additive - no attention",
        more("additive", "no attention"),
        above(0),
        ("additive", "no attention"),
    ),
    Claim(
        "bottleneck",
        "The fixed context collapses on long sentences.",
        f"{BAHDANAU}, figure 2",
        "BLEU lost from 1-10 to 31 and more words, no attention",
        loss_with_length("no attention"),
        above(10),
        ("no attention",),
    ),
    Claim(
        "long sentences",
        "The longer the sentence, the more attention helps.",
        f"{BAHDANAU}, figure 2",
        "BLEU, lead of additive on 31 and more words - lead on 1-10",
        gain_with_length("additive", "no attention"),
        above(0),
        ("additive", "no attention"),
    ),
    Claim(
        "rare words",
        "Attention helps on words that training has seldom shown.",
        "lecture notes on sequence-to-sequence models",
        "% of words seen 1-9 times, additive - no attention",
        more_words("additive", "no attention", "frequency", RARE),
        above(0),
        ("additive", "no attention"),
    ),
    Claim(
        "order",
        "Attention helps on words whose source stands elsewhere.",
        "lecture notes on sequence-to-sequence models",
        "% of words two and more places away, additive - no attention",
        more_words("additive", "no attention", "jump", MOVED),
        above(0),
        ("additive", "no attention"),
    ),
    Claim(
        "alignment",
        "The weights show which source word produced which target word.",
        f"{BAHDANAU}, §5.2.1",
        "alignment error in %, additive",
        alignment_error("additive"),
        below(50),
        ("additive",),
    ),
    Claim(
        "additive and dot",
        "Additive and multiplicative scores translate alike.",
        f"{BRITZ}, table 5",
        "BLEU, additive - dot",
        more("additive", "dot"),
        within(1),
        ("additive", "dot"),
    ),
    Claim(
        "general and dot",
        "A matrix in the multiplicative score changes little.",
        f"{LUONG}, table 4",
        "BLEU, general - dot",
        more("general", "dot"),
        within(1),
        ("general", "dot"),
    ),
    Claim(
        "concat",
        "Concat does worse than general.",
        f"{LUONG}, §5.2",
        "BLEU, general - concat",
        more("general", "concat"),
        above(0),
        ("general", "concat"),
    ),
    Claim(
        "input feeding",
        "Feeding the attentional state back helps.",
        f"{LUONG}, table 1",
        "BLEU, Luong - without input feeding",
        more("Luong", "Luong, no input feeding"),
        above(0),
        ("Luong", "Luong, no input feeding"),
    ),
    Claim(
        "local",
        "Predictive local attention is better than global.",
        f"{LUONG}, table 4",
        "BLEU, Luong with local-p - Luong",
        more("Luong, local-p", "Luong"),
        above(0),
        ("Luong, local-p", "Luong"),
    ),
    Claim(
        "seeds",
        "Attention is much the same whatever the seed.",
        "Jain & Wallace 2019; Wiegreffe & Pinter 2019",
        "% of weight on the same tokens, additive",
        of_seeds("additive", None, agreement("seeds")),
        above(75),
        ("additive",),
    ),
    Claim(
        "positions",
        "Without positions a Transformer translates worse.",
        "Shaw et al. 2018, table 2",
        "BLEU, Transformer - without positions",
        more("Transformer", "Transformer, no positions"),
        above(0),
        ("Transformer", "Transformer, no positions"),
    ),
    Claim(
        "learned positions",
        "Learned positions do as well as sinusoids.",
        f"{VASWANI}, table 3 (E)",
        "BLEU, learned positions - Transformer",
        more("Transformer, learned positions", "Transformer"),
        within(1),
        ("Transformer, learned positions", "Transformer"),
    ),
    Claim(
        "heads",
        "Four heads are better than one.",
        f"{VASWANI}, table 3 (A)",
        "BLEU, Transformer - one head",
        more("Transformer", "Transformer, one head"),
        above(0),
        ("Transformer", "Transformer, one head"),
    ),
    Claim(
        "specialised heads",
        "Heads specialise.",
        f"{VASWANI}, §3.2.2",
        "% of weight that two heads of a layer put on the same tokens, Transformer",
        of_seeds("Transformer", None, agreement("heads")),
        below(50),
        ("Transformer",),
    ),
    Claim(
        "self-attention",
        "An encoder whose words see only themselves understands less.",
        "lecture notes on the Transformer",
        "BLEU, Transformer - words alone",
        more("Transformer", "Transformer, words alone"),
        above(0),
        ("Transformer", "Transformer, words alone"),
    ),
    Claim(
        "dropout",
        "Dropout helps.",
        f"{VASWANI}, table 3 (D)",
        "BLEU, Transformer - no dropout",
        more("Transformer", "Transformer, no dropout"),
        above(0),
        ("Transformer", "Transformer, no dropout"),
    ),
    Claim(
        "label smoothing",
        "Label smoothing helps BLEU.",
        f"{VASWANI}, table 3 (D)",
        "BLEU, Transformer - no smoothing",
        more("Transformer", "Transformer, no smoothing"),
        above(0),
        ("Transformer", "Transformer, no smoothing"),
    ),
    Claim(
        "smoothed perplexity",
        "Label smoothing hurts perplexity.",
        f"{VASWANI}, table 3 (D)",
        "perplexity, Transformer - no smoothing",
        of_seeds("Transformer", "Transformer, no smoothing", perplexity),
        above(0),
        ("Transformer", "Transformer, no smoothing"),
    ),
)
