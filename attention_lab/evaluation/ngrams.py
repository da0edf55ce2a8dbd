"""n-gram language models: what counting reaches, with which a neural language model is compared.

    ngram_loss(train, validation, order=5)                          # nats for each character, 1.669 for Shakespeare
    ngram_loss(train, validation, order=5, smoothing="kneser_ney")

Both are interpolated: p(x | h) = (discounted count of h x + λ(h) p(x | h without its first symbol)) / count of h, and the
shortest history has the uniform distribution as its lower order.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from attention_lab.mechanism.registry import unknown

SMOOTHINGS = ("witten_bell", "kneser_ney")


class Order(NamedTuple):
    """The counts of the n-grams of one order n, by history: their sum, and the number of different symbols after it."""

    counts: Counter[Any]
    total: Counter[Any]
    types: Counter[Any]
    discount: float


def ngram_loss(
    train: Sequence[Any],
    text: Sequence[Any],
    order: int = 5,
    smoothing: str = "witten_bell",
    vocabulary: int | None = None,
) -> float:
    """Returns the mean of −log p(symbol | the order − 1 symbols before it) over a text, in nats.

    train, text: strings, whose symbols are characters, or tuples of ids. smoothing: "witten_bell" (Witten & Bell 1991),
    where λ is the number of types after a history; "kneser_ney" (Kneser & Ney 1995, interpolated), with one absolute
    discount n₁ / (n₁ + 2 n₂) for each order, and lower orders that count in how many contexts an n-gram occurs.
    vocabulary: the number of symbols; None: those that occur in training. Raises ValueError for an empty text, and for
    a symbol that does not occur in training, if the vocabulary is not given.
    """
    if smoothing not in SMOOTHINGS:
        raise ValueError(unknown("smoothing", smoothing, SMOOTHINGS))
    if order < 1:
        raise ValueError(f"the order of an n-gram model is at least 1, not {order}")
    if not len(train) or not len(text):
        raise ValueError("an n-gram model needs text for training and for evaluation")
    new = set(text) - set(train)
    if new and vocabulary is None:
        raise ValueError(
            f"the symbol {min(new)!r} does not occur in training; give the size of the vocabulary"
        )
    orders = orders_of(train, order, smoothing)
    size = vocabulary or len(set(train))
    losses = (
        -math.log(probability(orders, text[max(0, i - order + 1) : i + 1], size))
        for i in range(len(text))
    )
    return math.fsum(losses) / len(text)


def probability(orders: Sequence[Order], gram: Sequence[Any], vocabulary: int) -> float:
    """Returns p(last symbol | the symbols before it) of the orders 1, 2, ..; see `ngram_loss`."""
    p = 1 / vocabulary
    for n, (counts, total, types, discount) in enumerate(orders[: len(gram)], 1):
        own = gram[len(gram) - n :]
        history = own[:-1]
        if not total[history]:
            break  # a longer history did not occur either
        if discount:
            seen, rest, norm = max(counts[own] - discount, 0), discount * types[history], 0
        else:
            seen, rest, norm = counts[own], types[history], types[history]
        p = (seen + rest * p) / (total[history] + norm)
    return p


def orders_of(train: Sequence[Any], order: int, smoothing: str) -> list[Order]:
    """Returns the counts of orders 1 to `order`; the discount is 0 for Witten-Bell."""
    count = len(train)
    grams = [Counter(train[i : i + n] for i in range(count - n + 1)) for n in range(1, order + 1)]
    if (
        smoothing == "kneser_ney"
    ):  # continuation counts: the number of different symbols before an n-gram
        for n in reversed(range(order - 1)):
            grams[n] = Counter(longer[1:] for longer in grams[n + 1])
    return [_order(counts, smoothing) for counts in grams]


def _order(counts, smoothing):
    total: Counter[Any] = Counter()
    for gram, times in counts.items():
        total[gram[:-1]] += times
    types = Counter(gram[:-1] for gram in counts)
    of_counts = Counter(counts.values())
    once, twice = of_counts[1], of_counts[2]
    discount = once / (once + 2 * twice) if once and twice else 0.5
    return Order(counts, total, types, discount if smoothing == "kneser_ney" else 0.0)
