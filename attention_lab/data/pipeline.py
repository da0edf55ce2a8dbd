"""Batches of rows of ids: bucket by length, pad, shuffle.

Batch number t is a pure function of (rows, plan, seed, t), so that training can be resumed at any update. The
lengths of batches belong to the plan and are the same for every seed; the rows in a batch depend on the seed.
Arrays and one permutation suffice for that, so no framework of data loaders is used.
"""

from typing import Any, NamedTuple

import numpy as np

from attention_lab.data.rows import Row, Rows
from attention_lab.padded import pad


class Bucket(NamedTuple):
    """Rows of similar lengths, padded to the same lengths: a batch is [rows, source], [rows, target]."""

    rows: int
    source: int
    target: int
    members: np.ndarray  # the indices of its rows among all

    @property
    def batches(self) -> int:
        """The number of batches in which every row occurs once."""
        return -(-len(self.members) // self.rows)


class Batches:
    """An endless, random-access sequence of batches: `batches[t]` for any t.

    tokens: the most target positions of a batch, padding included. buckets: the number of lengths to pad to;
    each is one more program to compile. plan_seed: determines the order of lengths; seed: that of rows. Every
    row occurs once in an epoch; if a bucket's last batch is not full, its other rows are padding.
    """

    def __init__(
        self, rows: Rows, *, tokens: int, buckets: int, seed: int = 0, plan_seed: int = 0
    ) -> None:
        self.lengths = rows.lengths
        if not len(self.lengths[0]):
            raise ValueError("there is no example for a batch; all are blank or too long")
        self.rows = rows
        self.seed = seed
        self.plan_seed = plan_seed
        self.buckets = make_buckets(*self.lengths, tokens, buckets)
        self.per_epoch = sum(bucket.batches for bucket in self.buckets)
        self._epoch: tuple[int, Any] | None = None

    @property
    def padding(self) -> float:
        """The fraction of all positions, source and target, that are padding."""
        real = sum(side.sum() for side in self.lengths)
        return 1 - real / sum(b.batches * b.rows * (b.source + b.target) for b in self.buckets)

    def __getitem__(self, number: int) -> dict[str, Any]:
        epoch, place = divmod(number, self.per_epoch)
        order, members = self._of_epoch(epoch)[:2]
        which, part = order[place]
        bucket = self.buckets[which]
        indices = members[which][part * bucket.rows : (part + 1) * bucket.rows]
        return self.of(bucket, indices, epoch)

    def of(self, bucket: Bucket, indices: np.ndarray, epoch: int = 0) -> dict[str, Any]:
        """Returns the batch of these rows of a bucket in an epoch."""
        row = self._of_epoch(epoch)[2]
        return batch_of(list(map(row, indices)), bucket.source, bucket.target, bucket.rows)

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
        """Returns the order of (bucket, batch), that of the rows within each bucket, and the rows, cached for one epoch."""
        kept = self._epoch  # read once: threads may request batches of two epochs
        if kept is None or kept[0] != epoch:
            shuffle = np.random.default_rng([self.seed, epoch, 1])
            members = [shuffle.permutation(bucket.members) for bucket in self.buckets]
            kept = epoch, (self._order(epoch), members, self.rows.epoch(self.seed, epoch))
            self._epoch = kept
        return kept[1]


def batch_of(rows: list[Row], source: int, target: int, count: int) -> dict[str, Any]:
    """Returns rows as one batch of `count` rows, padded to these lengths; those after the given ones are padding.

    {"source": Padded [B, K], "target": Padded [B, T]}, and "inputs" and "segments" [B, T] if the rows have them.
    """
    batch: dict[str, Any] = {
        "source": pad([row.source for row in rows], source, count),
        "target": pad([row.target for row in rows], target, count),
    }
    for name in ("inputs", "segments"):
        values = [getattr(row, name) for row in rows]
        if values[0] is not None:
            batch[name] = pad(values, target, count).values
    return batch


def make_buckets(source: np.ndarray, target: np.ndarray, tokens: int, count: int) -> list[Bucket]:
    """Returns at most `count` buckets, with each row in the bucket that pads it least.

    source, target: the lengths of rows, [N]. tokens: the most target positions of a batch, padding included.
    """
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
