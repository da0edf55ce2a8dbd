"""Small tokenizers of every kind."""

import pytest
from hypothesis import settings

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.tokenizer import KINDS

SENTENCES = [
    "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
    "Two young, White males are outside near many bushes.",
    "l'homme n'a pas vu l'homme ; il est là",
    "der Mann lacht und der Mann geht und die Frau lacht",
    "the quick brown fox jumps over the lazy dog 0123456789 !?",
]
TRAINED = {kind: tokenizers.train(kind, SENTENCES, 150) for kind in KINDS}
few = settings(deadline=None, derandomize=True)
every_kind = pytest.mark.parametrize("kind", KINDS)
