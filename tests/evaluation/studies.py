"""Studies that are drawn at will, so that the truth is known: other seeds, other sentences."""

import numpy as np
from scipy import stats

LENGTHS = (5, 16)  # words of a sentence: from, and below


def quantiles(count=41):
    """Normal numbers that stand for all of them: a mean over these seeds is one over any."""
    return stats.norm.ppf((np.arange(count) + 0.5) / count)


def logits(rng, seeds, sentences, *, sentence=0.8, rest=0.5):
    """How well each seed does each sentence [.., R, N]; seeds: [.., R], how well it does all of them."""
    shape = seeds.shape[:-1]
    return (
        seeds[..., None]
        + sentence * rng.normal(size=(*shape, 1, sentences))
        + rest * rng.normal(size=(*seeds.shape, sentences))
    )


def right(rng, logits, words):
    """Which words of each sentence are right: bool [.., N, W], none behind its end; words: int [.., N]."""
    chance = 1 / (1 + np.exp(-logits))
    there = np.arange(LENGTHS[1]) < words[..., None]
    return (rng.random((*logits.shape, LENGTHS[1])) < chance[..., None]) & there


def bleu_parts(rng, logits):
    """BLEU's parts [.., R, N, 10] of translations of the right length."""
    words = rng.integers(*LENGTHS, size=logits[..., :1, :].shape)
    found = right(rng, logits, words)
    words = np.broadcast_to(words, logits.shape)
    parts = np.empty((*logits.shape, 10))
    run = found
    for n in range(4):
        run = run[..., :-1] & found[..., n:] if n else run
        parts[..., n], parts[..., 4 + n] = run.sum(-1), np.maximum(words - n, 0)
    parts[..., 8] = parts[..., 9] = words
    return parts


def word_parts(rng, logits, most=3):
    """How many words are right, and how many there are: [.., R, N, 2]."""
    words = rng.integers(1, most + 1, size=logits[..., :1, :].shape)
    words = np.broadcast_to(words, logits.shape)
    return np.stack([rng.binomial(words, 1 / (1 + np.exp(-logits))), words], -1).astype(float)


def link_parts(rng, logits):
    """|A|, |A∩P|, |A∩S|, |S| of each sentence: [.., R, N, 4]."""
    hits, words = np.moveaxis(word_parts(rng, logits, 12), -1, 0)
    return np.stack([words, hits, hits, words], -1)


def covered(found, truth):
    """The part of intervals that hold the truth."""
    return float(((found.low <= truth) & (truth <= found.high)).mean())
