"""Decoding: search for the most likely target, or draws from its distribution, one token at a time, for a batch at once."""

from attention_lab.decoding.beam import Hypotheses, beam, decode
from attention_lab.decoding.filters import Sampling, checked_sampling, filtered
from attention_lab.decoding.greedy import greedy
from attention_lab.decoding.many import COARSE, FINE, in_batches
from attention_lab.decoding.sampling import Samples, sample, sample_in_parts, stream
from attention_lab.decoding.search import Search, checked

__all__ = [
    "COARSE",
    "FINE",
    "Hypotheses",
    "Samples",
    "Sampling",
    "Search",
    "beam",
    "checked",
    "checked_sampling",
    "decode",
    "filtered",
    "greedy",
    "in_batches",
    "sample",
    "sample_in_parts",
    "stream",
]
