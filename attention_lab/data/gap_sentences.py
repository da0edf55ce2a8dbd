"""Selection of sentences for PEGASUS: by their importance, at random, or from the start (Zhang et al. 2020, §3.1)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from attention_lab.data.documents import Document


def importance(document: Document, unique: bool = False) -> np.ndarray:
    """Returns for each sentence the ROUGE-1 F1 between it and the rest of the document, from 0 to 1 [sentences].

    F1 = 2 · overlap / (unigrams of the sentence + unigrams of the rest); a unigram is an id. Each side is a multiset,
    as in ROUGE itself (the paper's Orig): the denominator is then the length of the document, so that long sentences
    are favored. unique: each side is a set (Uniq). The paper compares words of the text, without case and punctuation;
    ids need no text and no alphabet, but do not always rank the sentences in the same way.
    """
    starts = document.sentence_starts()
    sizes = np.diff(np.append(starts, document.ids.size))
    types, token = np.unique(document.ids, return_inverse=True)
    counts = np.zeros((len(starts), len(types)), int)
    np.add.at(counts, (np.repeat(np.arange(len(starts)), sizes), token), 1)
    rest = counts.sum(0) - counts
    if unique:
        counts, rest = np.minimum(counts, 1), np.minimum(rest, 1)
    return 2 * np.minimum(counts, rest).sum(1) / (counts.sum(1) + rest.sum(1))


def _most_important(document, rng, unique):
    return np.argsort(-importance(document, unique), kind="stable")


def _drawn(document, rng, unique):
    return rng.permutation(len(document.sentence_starts()))


def _first(document, rng, unique):
    return np.arange(len(document.sentence_starts()))


# The orders in which sentences are picked: (document, rng, unique as in `importance`) -> int [sentences].
SELECTIONS: Mapping[str, Callable[[Document, np.random.Generator, bool], np.ndarray]] = (
    MappingProxyType({"rouge": _most_important, "random": _drawn, "lead": _first})
)
