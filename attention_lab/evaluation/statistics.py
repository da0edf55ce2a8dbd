"""Statistics: confidence intervals of scores over random seeds and random test sentences.

    statistics = np.stack([metric.statistics(outcome) for outcome in outcomes_by_seed])   # [R, N, P]
    print(interval(contributions(statistics, metric.of)))

A study has R seeds and N test sentences, and both are random samples. The score of seed r is the mean of the
contributions y_ri of its sentences, with the two-way random-effects model

    y_ri = μ + seed_r + sentence_i + residual_ri      Var(ȳ) = σ²_seed/R + σ²_sentence/N + σ²_residual/(RN)

and Satterthwaite's (1946) degrees of freedom for Student's t. Comparisons are paired: both arms have the same seeds
and the same sentences, and y is their difference. A bootstrap over a few seeds gives too narrow intervals, and is
therefore reported beside this interval and does not replace it.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Score = Callable[[np.ndarray], np.ndarray]  # summed sufficient statistics [.., P] -> score [..]


class Interval(NamedTuple):
    """An estimate with its confidence interval; each field is [..] for an array of estimates.

    p: the p-value of the hypothesis that the true value is 0. spread: the standard deviation of scores over seeds.
    degrees: the degrees of freedom.
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
    """The variance components of the two-way model, none less than 0."""

    seed: Any
    sentence: Any
    residual: Any


def interval(values: Any, level: float = 0.95) -> Interval:
    """Returns the interval of the mean of values [.., R, N], by seed and sentence; R and N are at least 2.

    Var(ȳ) = (MS_seed + MS_sentence − MS_residual) / (RN), but at least MS_seed / (RN), with at least R − 1 degrees of
    freedom, and exactly that many if R = 2. In simulations, the coverage of 95 % intervals is then at least 92 %,
    whichever component is large.
    Raises ValueError if R or N is less than 2: the variance between seeds cannot be estimated from one seed.
    """
    values = _matrix(values)
    replicas, sentences = values.shape[-2:]
    squares = seed, sentence, residual = _mean_squares(values)
    freedoms = replicas - 1, sentences - 1, (replicas - 1) * (sentences - 1)
    sum_of_squares = sum(ms**2 / df for ms, df in zip(squares, freedoms, strict=True))
    total = np.maximum(seed + sentence - residual, seed)
    error = np.sqrt(total / (replicas * sentences))
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = np.where(total > 0, total**2 / sum_of_squares, replicas - 1)
    degrees = np.maximum(degrees, replicas - 1) if replicas > 2 else np.ones_like(total)
    spread = values.mean(-1).std(-1, ddof=1)
    return _student(values.mean((-2, -1)), error, degrees, spread, level)


def of_seeds(values: Any, level: float = 0.95) -> Interval:
    """Returns Student's interval of the mean of values [R], one for each seed or random draw.

    Raises ValueError if R is less than 2.
    """
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"values have shape {values.shape}, expected one for each of 2 or more seeds"
        )
    degrees = len(values) - 1
    spread = values.std(ddof=1)
    return _student(values.mean(), spread / np.sqrt(len(values)), degrees, spread, level)


def of_pairs(values: Any) -> np.ndarray:
    """Returns the contribution of each seed to a mean over pairs of seeds: [R, ..], for `interval` or `of_seeds`.

    values: [R, ..], the mean over the pairs of each seed; R is at least 3. Two seeds share a pair, so that these means
    are not independent, and their variance is too small. The contributions are the jackknife pseudovalues over seeds
    (Arvesen 1969): R·U − (R − 1)U₍₋ᵣ₎ = U + 2(R − 1)/(R − 2)(value_r − U), where U is the mean over all pairs.
    Their mean is U; their variance is correct if the variation is between seeds, and too large if it is between pairs
    only. Raises ValueError if R is less than 3: the variance cannot be estimated from one pair.
    """
    values = np.asarray(values, float)
    replicas = len(values)
    if replicas < 3:
        raise ValueError(
            f"there are {replicas} seeds, expected 3 or more: one pair does not determine the variance between pairs"
        )
    mean = values.mean(0)
    return mean + 2 * (replicas - 1) / (replicas - 2) * (values - mean)


def components(values: Any) -> Components:
    """Returns σ²_seed, σ²_sentence and σ²_residual of values [.., R, N], from their mean squares."""
    values = _matrix(values)
    replicas, sentences = values.shape[-2:]
    seed, sentence, residual = _mean_squares(values)
    return Components(
        np.maximum(seed - residual, 0) / sentences,
        np.maximum(sentence - residual, 0) / replicas,
        residual,
    )


def bootstrap(
    statistics: np.ndarray, score: Score, *, draws: int = 1000, seed: int = 0
) -> np.ndarray:
    """Returns bootstrap replicates [draws] of the mean score over seeds, with resampled seeds and sentences.

    statistics: the sufficient statistics [R, N, P]. score: maps their sum [.., P] over sentences to [..]. Arms of equal
    R and N are resampled identically, so that differences of their replicates are those of a paired bootstrap. With
    few seeds, percentile intervals are too narrow: use `interval`.
    """
    rng = np.random.default_rng(seed)
    replicas, sentences = statistics.shape[:2]
    rows = rng.integers(replicas, size=(draws, replicas))
    # The sums over resampled sentences are products with the multinomial counts of each sentence.
    counts = rng.multinomial(sentences, np.full(sentences, 1 / sentences), size=draws)
    sums = np.tensordot(counts.astype(float), statistics, (1, 1))  # [draws, R, P]
    return score(np.take_along_axis(sums, rows[:, :, None], axis=1)).mean(-1)


def percentiles(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Returns the percentile interval, which excludes a fraction (1 − level) / 2 of the values on either side."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Returns p-values that are adjusted for multiple comparisons: the family-wise error rate is controlled (Holm 1979)."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    increasing = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(increasing, 1.0)
    return adjusted


def effect_size(values: Any) -> Any:
    """Returns Hedges' g of paired differences [.., R, N]: their mean divided by their standard deviation over seeds.

    It is corrected for few seeds by the factor 1 − 3 / (4(R − 1) − 1), and infinite if all seeds are equal.
    """
    by_seed = _matrix(values).mean(-1)
    freedom = by_seed.shape[-1] - 1
    correction = 1 - 3 / (4 * freedom - 1) if freedom > 1 else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return correction * by_seed.mean(-1) / by_seed.std(-1, ddof=1)


def seeds_needed(
    values: Any, *, level: float = 0.95, power: float = 0.8, maximum: int = 1000
) -> int | None:
    """Returns the number of seeds with which a mean difference as in values [R, N] would be significant.

    It is the least number, from 2, with which a test at confidence `level` has the given power, if the observed
    difference and variance components are the true ones; None if even `maximum` seeds do not suffice, since there are
    too few sentences or no difference.
    """
    variances = components(values)
    values = _matrix(values)
    sentences = values.shape[-1]
    difference = abs(float(values.mean()))
    seeds = np.arange(2, maximum + 1)
    error = np.sqrt(
        variances.seed / seeds
        + variances.sentence / sentences
        + variances.residual / (seeds * sentences)
    )
    quantiles = _t().ppf((1 + level) / 2, seeds - 1) + _t().ppf(power, seeds - 1)
    sufficient = np.flatnonzero(difference > quantiles * error)
    return int(seeds[sufficient[0]]) if sufficient.size else None


def contributions(statistics: np.ndarray, score: Score) -> np.ndarray:
    """Returns the contribution of each sentence to its seed's score: [R, N], whose rows have the scores as means.

    statistics: the sufficient statistics [R, N, P]. score: a smooth function of their sum [.., P] over sentences. The
    contributions are the jackknife pseudovalues (Tukey 1958), centered at θ: θ + (N − 1)(mean of θ₍₋ⱼ₎ − θ₍₋ᵢ₎), where
    θ₍₋ᵢ₎ is the score of all sentences but i.
    """
    total = statistics.sum(-2)
    without = score(total[..., None, :] - statistics)
    sentences = statistics.shape[-2]
    return score(total)[..., None] + (sentences - 1) * (without.mean(-1, keepdims=True) - without)


def ratio_of(statistics: np.ndarray) -> np.ndarray:
    """Returns 100 · first / second of summed statistics [.., 2]: an accuracy in percent."""
    return 100 * statistics[..., 0] / statistics[..., 1]


def _t():
    """Returns Student's distribution. The import is local, since scipy.stats takes as long to import as JAX."""
    from scipy import stats

    return stats.t


def _student(mean, error, degrees, spread, level):
    half_width = _t().ppf((1 + level) / 2, degrees) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(error > 0, 2 * _t().sf(np.abs(mean) / error, degrees), 1.0 * (mean == 0))
    return Interval(mean, mean - half_width, mean + half_width, p, spread, degrees)


def _matrix(values):
    values = np.asarray(values, float)
    if values.ndim < 2 or min(values.shape[-2:]) < 2:
        raise ValueError(
            f"values have shape {values.shape}, expected [seeds, sentences] with at least 2 of each: "
            "one seed does not determine the variance between seeds"
        )
    return values


def _mean_squares(values):
    """Returns the mean squares between seeds, between sentences, and of the residual: each [..]."""
    replicas, sentences = values.shape[-2:]
    mean = values.mean((-2, -1), keepdims=True)
    rows = values.mean(-1, keepdims=True) - mean
    columns = values.mean(-2, keepdims=True) - mean
    residual = values - mean - rows - columns
    return (
        sentences * (rows**2).sum((-2, -1)) / (replicas - 1),
        replicas * (columns**2).sum((-2, -1)) / (sentences - 1),
        (residual**2).sum((-2, -1)) / ((replicas - 1) * (sentences - 1)),
    )
