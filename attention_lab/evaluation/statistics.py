"""Statistics: how sure is a score, when other seeds and other sentences could have been drawn?

    statistics = np.stack([metric.statistics(outcome) for outcome in of_every_seed])   # [R, N, P]
    print(interval(contributions(statistics, metric.of)))

A study draws R seeds and N test sentences, and both are chance. The score of seed r is the mean of what its
sentences contribute, y_ri, and the two-way model of them is

    y_ri = μ + seed_r + sentence_i + rest_ri          Var(ȳ) = σ²_seed/R + σ²_sentence/N + σ²_rest/(RN)

with Satterthwaite's (1946) degrees of freedom for the t that belongs to it. Comparisons are paired: the same
seeds, the same sentences, and y is the difference. A bootstrap of a handful of seeds is too narrow, which is
why it stands beside this interval and not in its place.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Of = Callable[[np.ndarray], np.ndarray]  # summed parts [.., P] -> score [..]


class Interval(NamedTuple):
    """An estimate with its interval; all of it [..] where many were made at once.

    spread: the standard deviation over seeds of their scores. p: of the hypothesis that the truth is 0.
    """

    estimate: Any
    low: Any
    high: Any
    p: Any
    spread: Any
    degrees: Any

    def __str__(self):
        return f"{self.estimate:.2f} [{self.low:.2f}, {self.high:.2f}]"


class Components(NamedTuple):
    """The variances of the two-way model, none below 0."""

    seed: Any
    sentence: Any
    rest: Any


def interval(values: Any, level: float = 0.95) -> Interval:
    """The interval of the mean of values [.., R, N], by seed and sentence; R and N are at least 2.

    Var(ȳ) = (MS_seed + MS_sentence − MS_rest) / (RN), never less than MS_seed / (RN), with no fewer degrees
    of freedom than seeds alone have, and no more where there are two: by simulation, 95 % then stay 92 % or more
    whichever part is large.
    Raises ValueError where there is one seed: nothing then says what another would have done.
    """
    values = _matrix(values)
    replicas, sentences = values.shape[-2:]
    squares = seed, sentence, rest = _mean_squares(values)
    freedoms = replicas - 1, sentences - 1, (replicas - 1) * (sentences - 1)
    sum_of_squares = sum(ms**2 / df for ms, df in zip(squares, freedoms, strict=True))
    total = np.maximum(seed + sentence - rest, seed)
    error = np.sqrt(total / (replicas * sentences))
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = np.where(total > 0, total**2 / sum_of_squares, replicas - 1)
    degrees = np.maximum(degrees, replicas - 1) if replicas > 2 else np.ones_like(total)
    spread = values.mean(-1).std(-1, ddof=1)
    return _student(values.mean((-2, -1)), error, degrees, spread, level)


def of_seeds(values: Any, level: float = 0.95) -> Interval:
    """Student's interval of the mean of values [R], one for each seed or draw; R is at least 2."""
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"values have shape {values.shape}, expected one for each of 2 or more seeds"
        )
    degrees = len(values) - 1
    spread = values.std(ddof=1)
    return _student(values.mean(), spread / np.sqrt(len(values)), degrees, spread, level)


def of_pairs(values: Any) -> np.ndarray:
    """What each seed contributes to an average over pairs of seeds: [R, ..], for `interval` or `of_seeds`.

    values: [R, ..], the mean of each seed's pairs; R is at least 3. Seeds share their pairs, so that these
    means are not independent and their spread is too small. Contributions are the jackknife's over seeds
    (Arvesen 1969): R·U − (R − 1)U₍₋ᵣ₎ = U + 2(R − 1)/(R − 2)(value_r − U), with U the average over all pairs.
    Their mean is U; their variance is right where seeds differ, and too large where only pairs do.
    Raises ValueError where there are fewer than 3 seeds: one pair varies by nothing.
    """
    values = np.asarray(values, float)
    replicas = len(values)
    if replicas < 3:
        raise ValueError(
            f"there are {replicas} seeds, expected 3 or more: one pair does not say what another would have been"
        )
    mean = values.mean(0)
    return mean + 2 * (replicas - 1) / (replicas - 2) * (values - mean)


def components(values: Any) -> Components:
    """σ²_seed, σ²_sentence and σ²_rest of values [.., R, N], from their mean squares."""
    values = _matrix(values)
    replicas, sentences = values.shape[-2:]
    seed, sentence, rest = _mean_squares(values)
    return Components(
        np.maximum(seed - rest, 0) / sentences, np.maximum(sentence - rest, 0) / replicas, rest
    )


def redrawn(parts: np.ndarray, of: Of, *, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """A bootstrap: the mean score over seeds, where seeds and sentences are drawn again: [draws].

    parts: [R, N, P]. Arms of equal R and N are drawn alike, so that the difference of two is that of a
    paired bootstrap. With few seeds its percentiles are too narrow an interval: use `interval`.
    """
    rng = np.random.default_rng(seed)
    replicas, sentences = parts.shape[:2]
    rows = rng.integers(replicas, size=(draws, replicas))
    # How often each sentence was drawn: a product then sums what would be copied.
    times = rng.multinomial(sentences, np.full(sentences, 1 / sentences), size=draws)
    sums = np.tensordot(times.astype(float), parts, (1, 1))  # [draws, R, P]
    return of(np.take_along_axis(sums, rows[:, :, None], axis=1)).mean(-1)


def percentiles(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The interval that leaves (1 − level) / 2 of the values out on either side."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """The p-values of a family of comparisons, adjusted so that the whole errs rarely (Holm 1979)."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def effect_size(values: Any) -> Any:
    """Hedges' g of paired differences [.., R, N]: their mean over their spread between seeds.

    Corrected for few seeds by 1 − 3 / (4(R − 1) − 1); infinite where all seeds agree exactly.
    """
    by_seed = _matrix(values).mean(-1)
    freedom = by_seed.shape[-1] - 1
    correction = 1 - 3 / (4 * freedom - 1) if freedom > 1 else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return correction * by_seed.mean(-1) / by_seed.std(-1, ddof=1)


def seeds_needed(
    values: Any, *, level: float = 0.95, power: float = 0.8, most: int = 1000
) -> int | None:
    """How many seeds would settle the mean difference in values [R, N], were it the true one.

    The fewest, from 2, with which a test at `level` sees it with probability `power`; None where even
    `most` do not, since the sentences are too few or there is no difference.
    """
    result = components(values)
    values = _matrix(values)
    sentences = values.shape[-1]
    difference = abs(float(values.mean()))
    counts = np.arange(2, most + 1)
    error = np.sqrt(
        result.seed / counts + result.sentence / sentences + result.rest / (counts * sentences)
    )
    wanted = _t().ppf((1 + level) / 2, counts - 1) + _t().ppf(power, counts - 1)
    enough = np.flatnonzero(difference > wanted * error)
    return int(counts[enough[0]]) if enough.size else None


def contributions(parts: np.ndarray, of: Of) -> np.ndarray:
    """What each sentence contributes to its seed's score: [R, N], whose rows have the scores as means.

    of(sum of parts) is any smooth score; parts: [R, N, P]. Contributions are the jackknife's (Tukey 1958):
    θ + (N − 1)(mean of θ₍₋ⱼ₎ − θ₍₋ᵢ₎), with θ₍₋ᵢ₎ the score of all sentences but i.
    """
    total = parts.sum(-2)
    without = of(total[..., None, :] - parts)
    sentences = parts.shape[-2]
    return of(total)[..., None] + (sentences - 1) * (without.mean(-1, keepdims=True) - without)


def ratio_of(parts: np.ndarray) -> np.ndarray:
    """100 · Σ first / Σ second of summed parts [.., 2]: an accuracy."""
    return 100 * parts[..., 0] / parts[..., 1]


def _t():
    """Student's distribution. Imported where it is used: scipy.stats takes as long to import as JAX."""
    from scipy import stats

    return stats.t


def _student(mean, error, degrees, spread, level):
    reach = _t().ppf((1 + level) / 2, degrees) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(error > 0, 2 * _t().sf(np.abs(mean) / error, degrees), 1.0 * (mean == 0))
    return Interval(mean, mean - reach, mean + reach, p, spread, degrees)


def _matrix(values):
    values = np.asarray(values, float)
    if values.ndim < 2 or min(values.shape[-2:]) < 2:
        raise ValueError(
            f"values have shape {values.shape}, expected [seeds, sentences] with at least 2 of each: "
            "one seed cannot say what another would have done"
        )
    return values


def _mean_squares(values):
    """Between seeds, between sentences, and the rest: each [..]."""
    replicas, sentences = values.shape[-2:]
    mean = values.mean((-2, -1), keepdims=True)
    rows = values.mean(-1, keepdims=True) - mean
    columns = values.mean(-2, keepdims=True) - mean
    rest = values - mean - rows - columns
    return (
        sentences * (rows**2).sum((-2, -1)) / (replicas - 1),
        replicas * (columns**2).sum((-2, -1)) / (sentences - 1),
        (rest**2).sum((-2, -1)) / ((replicas - 1) * (sentences - 1)),
    )
