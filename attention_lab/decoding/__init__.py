"""Decoding: search for the most likely target, one token at a time, for a batch at once."""

from attention_lab.decoding.beam import Hypotheses, beam, decode
from attention_lab.decoding.greedy import greedy
from attention_lab.decoding.many import COARSE, FINE, in_batches
from attention_lab.decoding.search import Search, checked

__all__ = [
    "COARSE",
    "FINE",
    "Hypotheses",
    "Search",
    "beam",
    "checked",
    "decode",
    "greedy",
    "in_batches",
]
