"""Objectives as loops: every pair that an objective may draw from a small document, with its probability.

A document is a list of sentences; a sentence is a list of words; a word is a list of ids. An oracle returns
{(source, target): probability}. They are written from the papers and share no code with the package.
"""

import itertools
import math
from collections import Counter, defaultdict

import numpy as np

from attention_lab.data.documents import Document


def flat(document):
    return [i for sentence in document for word in sentence for i in word]


def as_arrays(document):
    words, sentences, number = [], [], 0
    for s, sentence in enumerate(document):
        for word in sentence:
            words += [number] * len(word)
            sentences += [s] * len(word)
            number += 1
    return Document(np.array(flat(document), np.int32), np.array(words, int), np.array(sentences))


def uniform(pairs):
    pairs = list(pairs)
    found = defaultdict(float)
    for source, target in pairs:
        found[tuple(source), tuple(target)] += 1 / len(pairs)
    return dict(found)


def number(rate, n):
    """The nearest integer, of two equally near the even one, but at least 1 of any."""
    low = math.floor(rate * n)
    rest = rate * n - low
    if rest > 0.5 or (rest == 0.5 and low % 2):
        low += 1
    return 0 if n == 0 else max(low, 1)


def next_token(document, reserved):
    return {((), tuple(flat(document))): 1.0}


def prefix(document, reserved, fraction=None):
    ids = flat(document)
    if len(ids) < 2:
        return {((), tuple(ids)): 1.0}
    places = range(1, len(ids))
    if fraction is not None:
        places = [min(number(fraction, len(ids)), len(ids) - 1)]
    return uniform((ids[:place], ids[place:]) for place in places)


def runs(mask):
    return sum(one and not before for before, one in zip((False, *mask), mask, strict=False))


def corrupted(ids, mask, reserved):
    """T5's source and target of a mask, token by token."""
    source, target, sentinel, before = [], [], 0, False
    for i, hidden in zip(ids, mask, strict=True):
        if hidden and not before:
            source.append(reserved[sentinel])
            target.append(reserved[sentinel])
            sentinel += 1
        (target if hidden else source).append(i)
        before = hidden
    return source, target


def span_corruption(document, reserved, rate=0.15, mean=3, first_kept=False):
    ids = flat(document)
    n = len(ids)
    if n == 0:
        return {((), ()): 1.0}
    hidden = min(number(rate, n), n - 1) if n > 1 else 1
    masks = [mask for mask in itertools.product([False, True], repeat=n) if sum(mask) == hidden]
    if first_kept and n > 1:
        masks = [mask for mask in masks if not mask[0] and mask[-1]]
    # If so many spans are impossible, as many as possible.
    spans = min(max(1, number(1 / mean, hidden)), max(map(runs, masks)))
    return uniform(corrupted(ids, mask, reserved) for mask in masks if runs(mask) == spans)


def masking(document, reserved, rate=0.15):
    ids = flat(document)
    chosen = itertools.combinations(range(len(ids)), number(rate, len(ids)))
    sources = ([reserved[0] if p in own else i for p, i in enumerate(ids)] for own in chosen)
    return uniform((source, ids) for source in sources)


def deletion(document, reserved, rate=0.15):
    ids = flat(document)
    kept = itertools.combinations(ids, len(ids) - number(rate, len(ids)))
    return uniform((source, ids) for source in kept)


def rotation(document, reserved):
    ids = flat(document)
    return uniform((ids[k:] + ids[:k], ids) for k in range(max(len(ids), 1)))


def permutation(document, reserved):
    ids = flat(document)
    return uniform((flat(order), ids) for order in itertools.permutations(document))


def poisson(mean, k):
    return math.exp(-mean) * mean**k / math.factorial(k)


def spans(words, mean):
    """Yields (lengths above 0, number of empty spans, probability) of spans that contain `words` words."""
    zero = poisson(mean, 0)

    def lengths(rest):
        """Of Poisson lengths above 0 until `rest` words are in them; the last is cut."""
        for k in range(1, rest):
            for others, p in lengths(rest - k):
                yield (k, *others), p * poisson(mean, k) / (1 - zero)
        longer = 1 - sum(poisson(mean, k) for k in range(rest))
        yield (rest,), longer / (1 - zero)

    for own, p in lengths(words):
        # Before the last of m spans, z empty ones come with a negative binomial probability.
        m, most = len(own), words - len(own)
        several = [math.comb(z + m - 1, z) * zero**z * (1 - zero) ** m for z in range(most)]
        for z, q in enumerate([*several, 1 - sum(several)]):
            yield own, z, p * q


def infilling(document, reserved, rate=0.3, mean=3, clean=None):
    words = [word for sentence in document for word in sentence]
    target = tuple(flat(document) if clean is None else clean)
    if not words:
        return {((), target): 1.0}
    hidden = number(rate, len(words))
    found = defaultdict(float)
    for lengths, empty, p in spans(hidden, mean):
        items = [*lengths, *[0] * empty, *["kept"] * (len(words) - hidden)]
        orders = list(itertools.permutations(items))
        for order in orders:
            source, place = [], 0
            for item in order:
                if item == "kept":
                    source += words[place]
                    place += 1
                else:
                    source.append(reserved[0])
                    place += item
            found[tuple(source), target] += p / len(orders)
    return dict(found)


def permuted_and_infilled(document, reserved, rate=0.3):
    found = defaultdict(float)
    orders = list(itertools.permutations(document))
    for order in orders:
        for pair, p in infilling(order, reserved, rate, clean=flat(document)).items():
            found[pair] += p / len(orders)
    return dict(found)


def rouge(sentence, rest, unique):
    """ROUGE-1 F1 of two lists of ids."""
    one, other = Counter(sentence), Counter(rest)
    if unique:
        one, other = Counter(set(sentence)), Counter(set(rest))
    overlap = 0
    for i in one:
        overlap += min(one[i], other[i])
    if not overlap:
        return 0.0
    precision, recall = overlap / one.total(), overlap / other.total()
    return 2 * precision * recall / (precision + recall)


def importances(document, unique=False):
    found = []
    for s, sentence in enumerate(document):
        rest = flat(document[:s] + document[s + 1 :])
        found.append(rouge(flat([sentence]), rest, unique))
    return found


def gap_sentences(document, reserved, rate=0.3, select="rouge", unique=False):
    count = len(document)
    picked = number(rate, count)
    if count > 1:
        picked = min(picked, count - 1)
    scores = [round(score, 12) for score in importances(document, unique)]
    ways = {
        "rouge": [sorted(range(count), key=lambda s: (-scores[s], s))[:picked]],
        "random": list(itertools.combinations(range(count), picked)),
        "lead": [range(picked)],
    }[select]
    pairs = []
    for way in ways:
        source, target = [], []
        for s, sentence in enumerate(document):
            if s in way:
                source.append(reserved[0])
                target += flat([sentence])
            else:
                source += flat([sentence])
        pairs.append((source, target))
    return uniform(pairs)
