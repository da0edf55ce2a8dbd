"""CIDEr-D (Vedantam et al. 2015): how much a caption is like those that people wrote, by TF-IDF of its n-grams.

    CIDEr-D_n(c, S) = 10 / |S| Σ_j exp(−(l(c) − l(s_j))² / 2σ²) · min(g_n(c), g_n(s_j)) · g_n(s_j) / (‖g_n(c)‖ ‖g_n(s_j)‖)

g_n is the vector of term frequency times inverse document frequency of all n-grams, a document being the references of
one image, l the length in words, σ = 6, and the score the mean over n = 1 .. 4, times 100 here as other scores are: 0
to 1,000. There is no library of it that is kept; the tests compare with the authors' formulas in loops.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

ORDERS = 4
SIGMA = 6.0
SCALE = 10.0


def cider(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Returns CIDEr-D of each hypothesis with the references of its image, [N], 0 to 1,000.

    Document frequencies are those of the references of these N images: scores of parts of a corpus do not compare.
    Words are compared in lower case and without punctuation, and are not stemmed.
    """
    counted = [[_ngrams(text) for text in texts] for texts in references]
    frequency = Counter(gram for texts in counted for gram in set().union(*texts))
    log_images = math.log(max(len(references), 1))

    def weighed(grams: Counter) -> dict[tuple[str, ...], float]:
        return {
            gram: n * (log_images - math.log(max(frequency[gram], 1))) for gram, n in grams.items()
        }

    scores = []
    for text, grams in zip(hypotheses, counted, strict=True):
        own, size = weighed(_ngrams(text)), len(_words(text))
        each = [_similarity(own, weighed(other), size - _length(other)) for other in grams]
        scores.append(100 * SCALE * float(np.mean(each)) if each else 0.0)
    return np.array(scores)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:['’]\w+)*", text.lower())


def _ngrams(text: str) -> Counter:
    words = _words(text)
    return Counter(
        tuple(words[i : i + n]) for n in range(1, ORDERS + 1) for i in range(len(words) - n + 1)
    )


def _length(grams):
    return sum(count for gram, count in grams.items() if len(gram) == 1)


def _similarity(hypothesis, reference, difference):
    """Returns the mean over n of the clipped cosine of two vectors, with the penalty of the difference in length."""
    total = 0.0
    for n in range(1, ORDERS + 1):
        one, other = ({g: w for g, w in v.items() if len(g) == n} for v in (hypothesis, reference))
        product = sum(min(w, other[g]) * other[g] for g, w in one.items() if g in other)
        norms = math.sqrt(sum(w * w for w in one.values()) * sum(w * w for w in other.values()))
        total += product / norms if norms else 0.0
    return math.exp(-(difference**2) / (2 * SIGMA**2)) * total / ORDERS
