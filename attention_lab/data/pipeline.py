"""From sentence pairs to batches of ids: encode once, bucket by length, pad, shuffle.

Batch number t is a pure function of (pairs, plan, seed, t), so that stopping and going on is nothing
special. How long which batch is belongs to the plan and is the same for every seed; which pairs are in
it belongs to the seed. That needs arrays and one permutation, so there is no loader framework here.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data.tokenizer import Tokenizer
from attention_lab.marks import END, PAD


class Pairs(NamedTuple):
    """Encoded sentence pairs, each ending in END; and how many were left out, by reason."""

    source: list[np.ndarray]  # int32 [K] each
    target: list[np.ndarray]  # int32 [T] each
    places: np.ndarray  # [N] where each pair stands in what was given
    left_out: dict[str, int]

    def __len__(self) -> int:
        return len(self.source)


def encode(
    examples: Iterable[dict[str, Any]],
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    max_length: int | None = None,
) -> Pairs:
    """Examples {"source": str, "target": str} as ids. What has a blank side, or more than max_length
    tokens (END included) on one, is left out and counted."""
    examples = list(examples)
    end = np.array([END], np.int32)

    def side(name, tokenizer):
        ids = tokenizer.encode_ids(example[name] for example in examples)
        return [np.concatenate([row, end]) for row in ids]

    source, target = side("source", source_tokenizer), side("target", target_tokenizer)
    blank = np.array([min(len(s), len(t)) == 1 for s, t in zip(source, target, strict=True)], bool)
    longest = np.array([max(len(s), len(t)) for s, t in zip(source, target, strict=True)], int)
    long = ~blank & (longest > (max_length or np.inf))
    index = np.flatnonzero(~blank & ~long)
    return Pairs(
        [source[i] for i in index],
        [target[i] for i in index],
        index,
        {"a blank side": int(blank.sum()), f"more than {max_length} tokens": int(long.sum())},
    )


class Bucket(NamedTuple):
    """Pairs of similar lengths, padded to the same ones: a batch is [rows, source], [rows, target]."""

    rows: int
    source: int
    target: int
    members: np.ndarray  # which pairs

    @property
    def batches(self) -> int:
        """How many it takes to show every pair once."""
        return -(-len(self.members) // self.rows)


class Batches:
    """An endless, random-access sequence of batches: `batches[t]` for any t.

    tokens: the most target positions of a batch, padding included. buckets: how many lengths to pad to;
    each is one more program to compile. plan_seed: the order of lengths; seed: the order of pairs. An
    epoch shows every pair once; where a bucket's last batch is not full, its other rows are padding.
    """

    def __init__(
        self, pairs: Pairs, *, tokens: int, buckets: int, seed: int = 0, plan_seed: int = 0
    ) -> None:
        if not len(pairs):
            raise ValueError("there is no pair to make batches of; all are blank or too long")
        self.pairs = pairs
        self.seed = seed
        self.plan_seed = plan_seed
        self.buckets = make_buckets(pairs, tokens, buckets)
        self.per_epoch = sum(bucket.batches for bucket in self.buckets)
        self._epoch: tuple[int, list[tuple[int, int]], list[np.ndarray]] | None = None

    @property
    def padding(self) -> float:
        """The share of target positions that are padding."""
        real = sum(map(len, self.pairs.target))
        return 1 - real / sum(b.batches * b.rows * b.target for b in self.buckets)

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        epoch, place = divmod(number, self.per_epoch)
        order, members = self._of_epoch(epoch)
        which, part = order[place]
        bucket = self.buckets[which]
        rows = members[which][part * bucket.rows : (part + 1) * bucket.rows]
        return {
            "source": pad([self.pairs.source[i] for i in rows], bucket.rows, bucket.source),
            "target": pad([self.pairs.target[i] for i in rows], bucket.rows, bucket.target),
        }

    def _of_epoch(self, epoch):
        """The order of (bucket, part) and the order of pairs within each bucket, kept for one epoch."""
        if self._epoch is None or self._epoch[0] != epoch:
            parts = [(w, p) for w, bucket in enumerate(self.buckets) for p in range(bucket.batches)]
            order = np.random.default_rng([self.plan_seed, epoch]).permutation(len(parts))
            shuffle = np.random.default_rng([self.seed, epoch, 1])
            members = [shuffle.permutation(bucket.members) for bucket in self.buckets]
            self._epoch = epoch, [parts[i] for i in order], members
        return self._epoch[1:]


def make_buckets(pairs: Pairs, tokens: int, count: int) -> list[Bucket]:
    """At most `count` buckets with as little target padding as they allow.

    A bucket's source length is one that holds nearly all of its pairs; the few that are longer go
    one bucket further, and into the last one everything fits.
    """
    source = np.array([len(s) for s in pairs.source])
    target = np.array([len(t) for t in pairs.target])
    limits = best_limits(target, count)
    lengths = []
    lower = 0
    for limit in limits:
        own = source[(target > lower) & (target <= limit)]
        lengths.append(int(np.ceil(np.quantile(own, 0.97))))
        lower = limit
    lengths = list(np.maximum.accumulate([*lengths[:-1], source.max()]))
    fits = (target[:, None] <= np.array(limits)) & (source[:, None] <= np.array(lengths))
    first = fits.argmax(axis=1)
    made = []
    for number, limit in enumerate(limits):
        members = np.flatnonzero(first == number)
        if members.size:
            rows = min(max(1, tokens // limit), members.size)
            made.append(
                Bucket(rows, int(source[members].max()), int(target[members].max()), members)
            )
    return made


def best_limits(lengths: np.ndarray, count: int) -> list[int]:
    """The `count` or fewer upper limits that pad lengths [N] least, the last one the longest."""
    values, frequency = np.unique(lengths, return_counts=True)
    total = np.concatenate([[0], np.cumsum(frequency)])
    # cost[b][j]: the least padded size of the j shortest lengths in b buckets; by dynamic programming.
    cost, choices = np.where(np.arange(len(values) + 1) == 0, 0.0, np.inf), []
    for _ in range(min(count, len(values))):
        # Start of the last bucket i < j: the lengths i .. j−1 are all padded to values[j−1].
        size = (total[None, :] - total[:, None]) * np.concatenate([[0], values])[None, :]
        ahead = np.arange(len(total))[:, None] < np.arange(len(total))[None, :]
        sums = np.where(ahead, cost[:, None] + size, np.inf)
        choices.append(sums.argmin(axis=0))
        cost = np.minimum(sums.min(axis=0), np.inf)
    limits, end = [], len(values)
    for choice in reversed(choices):
        limits.append(int(values[end - 1]))
        end = int(choice[end])
        if end == 0:
            break
    return limits[::-1]


def pad(rows: Sequence[np.ndarray], count: int, length: int) -> np.ndarray:
    """Rows of ids as int32 [count, length], PAD where there is nothing."""
    padded = np.full((count, length), PAD, np.int32)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded
