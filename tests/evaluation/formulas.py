"""The formulas of `attention_lab.evaluation.statistics` as loops over numbers, written from the papers alone."""

import math
from typing import NamedTuple

from scipy import stats


class Found(NamedTuple):
    """What an interval says."""

    estimate: float
    low: float
    high: float
    p: float
    spread: float
    degrees: float


def mean(values):
    values = list(values)
    return math.fsum(values) / len(values)


def deviation(values):
    """The standard deviation of a sample."""
    middle = mean(values)
    return math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (len(values) - 1))


def bleu(sums):
    """Corpus BLEU of 4 matches, 4 totals and two lengths; the k-th missing precision is 1 / (2^k total)."""
    matches, totals, (ours, theirs) = sums[:4], sums[4:8], sums[8:]
    if min(totals) == 0 or max(matches) == 0:
        return 0.0
    product, missed = 1.0, 0
    for match, total in zip(matches, totals, strict=True):
        missed += match == 0
        product *= match / total if match else 1 / (2**missed * total)
    return 100 * math.exp(min(0.0, 1 - theirs / ours)) * product**0.25


def aer(sums):
    predicted, possible, sure, wanted = sums
    return 100 * (1 - (sure + possible) / (predicted + wanted))


def ratio(sums):
    return 100 * sums[0] / sums[1]


def score(parts, of):
    """The score of sentences, from what each of them counts."""
    return of([math.fsum(column) for column in zip(*parts, strict=True)])


def contributions(parts, of):
    """The jackknife's, of each sentence, from scores without it."""
    parts = [list(map(float, one)) for one in parts]
    without = [score(parts[:i] + parts[i + 1 :], of) for i in range(len(parts))]
    return [
        score(parts, of) + (len(parts) - 1) * (mean(without) - one_less) for one_less in without
    ]


def mean_squares(values):
    """Between seeds, between sentences, and of the rest."""
    seeds, sentences = len(values), len(values[0])
    rows = [mean(row) for row in values]
    columns = [mean(column) for column in zip(*values, strict=True)]
    middle = mean(rows)
    rest = 0.0
    for r in range(seeds):
        for i in range(sentences):
            rest += (values[r][i] - rows[r] - columns[i] + middle) ** 2
    return (
        sentences * math.fsum((row - middle) ** 2 for row in rows) / (seeds - 1),
        seeds * math.fsum((column - middle) ** 2 for column in columns) / (sentences - 1),
        rest / ((seeds - 1) * (sentences - 1)),
    )


def interval(values, level=0.95):
    """Of values [seeds][sentences]: two-way, Satterthwaite's degrees of freedom."""
    seeds, sentences = len(values), len(values[0])
    seed, sentence, rest = mean_squares(values)
    total = max(seed + sentence - rest, seed)
    parts = (
        seed**2 / (seeds - 1),
        sentence**2 / (sentences - 1),
        rest**2 / ((seeds - 1) * (sentences - 1)),
    )
    degrees = max(total**2 / sum(parts), seeds - 1) if seeds > 2 else 1
    rows = [mean(row) for row in values]
    return student(
        mean(rows), math.sqrt(total / (seeds * sentences)), degrees, deviation(rows), level
    )


def student(middle, error, degrees, spread, level=0.95):
    reach = stats.t(degrees).ppf(1 - (1 - level) / 2) * error
    p = 2 * (1 - stats.t(degrees).cdf(abs(middle) / error))
    return Found(middle, middle - reach, middle + reach, p, spread, degrees)


def of_seeds(values, level=0.95):
    error = deviation(values) / math.sqrt(len(values))
    return student(mean(values), error, len(values) - 1, deviation(values), level)


def less(one, other):
    """The paired difference of two tables."""
    return [[a - b for a, b in zip(x, y, strict=True)] for x, y in zip(one, other, strict=True)]


def holm(p_values):
    adjusted, largest = [0.0] * len(p_values), 0.0
    ranked = sorted(range(len(p_values)), key=lambda n: p_values[n])
    for place, number in enumerate(ranked):
        largest = max(largest, (len(p_values) - place) * p_values[number])
        adjusted[number] = min(1.0, largest)
    return adjusted


def effect_size(values):
    rows = [mean(row) for row in values]
    degrees = len(rows) - 1
    correction = 1 - 3 / (4 * degrees - 1) if degrees > 1 else 1
    return correction * mean(rows) / deviation(rows)


def seeds_needed(values, level=0.95, power=0.8, maximum=1000):
    seeds, sentences = len(values), len(values[0])
    seed, sentence, rest = mean_squares(values)
    of_seed, of_sentence = max(0, seed - rest) / sentences, max(0, sentence - rest) / seeds
    difference = abs(mean(mean(row) for row in values))
    for count in range(2, maximum + 1):
        error = math.sqrt(of_seed / count + of_sentence / sentences + rest / (count * sentences))
        t = stats.t(count - 1)
        if difference > (t.ppf(1 - (1 - level) / 2) + t.ppf(power)) * error:
            return count
    return None
