"""Batches of ids from sentence pairs: encode once, bucket by length, pad, shuffle.

Batch number t is a pure function of (pairs, plan, seed, t), so that training can be resumed at any update. The
lengths of batches belong to the plan and are the same for every seed; the pairs in a batch depend on the seed.
Arrays and one permutation suffice for that, so no framework of data loaders is used.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data.tokenizer import Tokenizer
from attention_lab.padded import Padded, pad
from attention_lab.special_tokens import END


class Pairs(NamedTuple):
    """Encoded sentence pairs, each ending in END, and the number of those left out, by reason."""

    source: list[np.ndarray]  # int32 [K] each
    target: list[np.ndarray]  # int32 [T] each
    places: np.ndarray  # [N] the index of each pair among the examples
    left_out: dict[str, int]

    def __len__(self) -> int:
        return len(self.source)


def encode(
    examples: Iterable[dict[str, Any]],
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    max_length: int | None = None,
) -> Pairs:
    """Encodes examples {"source": str, "target": str}.

    Pairs with a blank side, or with more than max_length tokens (END included) on a side, are left out and counted.
    """
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
    """Pairs of similar lengths, padded to the same lengths: a batch is [rows, source], [rows, target]."""

    rows: int
    source: int
    target: int
    members: np.ndarray  # the indices of its pairs

    @property
    def batches(self) -> int:
        """The number of batches in which every pair occurs once."""
        return -(-len(self.members) // self.rows)


class Batches:
    """An endless, random-access sequence of batches: `batches[t]` for any t.

    tokens: the most target positions of a batch, padding included. buckets: the number of lengths to pad to;
    each is one more program to compile. plan_seed: determines the order of lengths; seed: that of pairs. Every
    pair occurs once in an epoch; if a bucket's last batch is not full, its other rows are padding.
    """

    def __init__(
        self, pairs: Pairs, *, tokens: int, buckets: int, seed: int = 0, plan_seed: int = 0
    ) -> None:
        if not len(pairs):
            raise ValueError("there is no pair for a batch; all are blank or too long")
        self.pairs = pairs
        self.seed = seed
        self.plan_seed = plan_seed
        self.buckets = make_buckets(pairs, tokens, buckets)
        self.per_epoch = sum(bucket.batches for bucket in self.buckets)
        self._epoch: tuple[int, list[tuple[int, int]], list[np.ndarray]] | None = None

    @property
    def padding(self) -> float:
        """The fraction of all positions, source and target, that are padding."""
        real = sum(map(len, self.pairs.source)) + sum(map(len, self.pairs.target))
        return 1 - real / sum(b.batches * b.rows * (b.source + b.target) for b in self.buckets)

    def __getitem__(self, number: int) -> dict[str, Padded]:
        epoch, place = divmod(number, self.per_epoch)
        order, members = self._of_epoch(epoch)
        which, part = order[place]
        bucket = self.buckets[which]
        rows = members[which][part * bucket.rows : (part + 1) * bucket.rows]
        return {
            "source": pad([self.pairs.source[i] for i in rows], bucket.source, bucket.rows),
            "target": pad([self.pairs.target[i] for i in rows], bucket.target, bucket.rows),
        }

    def first_of_lengths(self, start: int = 0) -> list[int]:
        """The number of the first batch of each length from batch `start` on, lowest first."""
        first: dict[int, int] = {}
        epoch, place = divmod(start, self.per_epoch)
        # An epoch has every length; the one that `start` lies in may have some only before it.
        order = [*self._order(epoch), *self._order(epoch + 1)]
        for number, (which, _) in enumerate(order[place:], start):
            first.setdefault(which, number)
        return sorted(first.values())

    def _order(self, epoch):
        """The (bucket, part) of each batch of an epoch."""
        parts = [(w, p) for w, bucket in enumerate(self.buckets) for p in range(bucket.batches)]
        order = np.random.default_rng([self.plan_seed, epoch]).permutation(len(parts))
        return [parts[i] for i in order]

    def _of_epoch(self, epoch):
        """Returns the order of (bucket, batch) and of the pairs within each bucket, cached for one epoch."""
        kept = self._epoch  # read once: threads may request batches of two epochs
        if kept is None or kept[0] != epoch:
            shuffle = np.random.default_rng([self.seed, epoch, 1])
            members = [shuffle.permutation(bucket.members) for bucket in self.buckets]
            self._epoch = kept = epoch, self._order(epoch), members
        return kept[1:]


def make_buckets(pairs: Pairs, tokens: int, count: int) -> list[Bucket]:
    """Returns at most `count` buckets, with each pair in the bucket that pads it least.

    tokens: the most target positions of a batch, padding included.
    """
    source = np.array([len(s) for s in pairs.source])
    target = np.array([len(t) for t in pairs.target])
    limits = best_limits(source, target, count)
    first = _tightest(limits, source, target)[0]
    buckets = []
    for number in range(len(limits)):
        members = np.flatnonzero(first == number)
        if members.size:
            longest = int(source[members].max()), int(target[members].max())
            rows = min(max(1, tokens // longest[1]), members.size)
            buckets.append(Bucket(rows, *longest, members))
    return buckets


def best_limits(source: np.ndarray, target: np.ndarray, count: int) -> np.ndarray:
    """Returns at most `count` pairs of limits (K, T) with little padding, the last of which fits all pairs of lengths.

    source, target: lengths [N]. Pairs of limits are added greedily, each the one that saves most padding on
    both sides together; then each in turn is replaced by the best alternative, until none improves. The minimum
    of padding would require a search over all sets of limits; this comes within a tenth of it.
    """
    cells, frequency = np.unique(np.stack([source, target]), axis=1, return_counts=True)
    # Quantiles of the lengths suffice as candidates, and limit the cost for long documents.
    k, t = (np.unique(np.quantile(side, np.linspace(0, 1, 48), method="higher")) for side in cells)
    candidates = np.stack(np.meshgrid(k, t, indexing="ij"), -1).reshape(-1, 2)
    holds = (cells[0] <= candidates[:, :1]) & (cells[1] <= candidates[:, 1:])  # [candidates, cells]
    size = candidates.sum(1)
    weight = np.where(holds, frequency, 0)

    def with_best(limits):
        """Adds the best pair of limits; also returns the padded size of all pairs."""
        now = _tightest(limits, *cells)[1]
        saved = (weight * np.maximum(now - size[:, None], 0)).sum(1)
        best = saved.argmax()
        return np.vstack([candidates[best], limits]), (frequency * now).sum() - saved[best]

    limits, padded = candidates[-1:], np.inf
    for _ in range(count - 1):
        limits, padded = with_best(limits)
    improved = True
    while improved:
        improved = False
        for number in range(len(limits) - 1):
            others, less = with_best(np.delete(limits, number, axis=0))
            if less < padded:
                limits, padded, improved = others, less, True
    return limits[np.argsort(limits.sum(1), kind="stable")]


def _tightest(limits, source, target):
    """Returns for each pair the index of the limits [n, 2] that pad it least, and its padded size."""
    fits = (source[:, None] <= limits[:, 0]) & (target[:, None] <= limits[:, 1])
    sizes = np.where(fits, limits.sum(1), np.iinfo(int).max)
    return sizes.argmin(1), sizes.min(1)
