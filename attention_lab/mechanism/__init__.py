"""The mechanism: pure mathematics on one query and one key. Read contracts.py first, then attention.py."""

from attention_lab.mechanism.attention import (
    Attention,
    Context,
    Memory,
    attend,
    init_attention,
    remember,
)
from attention_lab.mechanism.contracts import Dims, Score
from attention_lab.mechanism.dropout import dropout
from attention_lab.mechanism.heads import init_multi_head, multi_head, remember_heads
from attention_lab.mechanism.normalizers import NORMALIZERS
from attention_lab.mechanism.pairs import score_matrix
from attention_lab.mechanism.parallel import IMPLEMENTATIONS, cross_attention, self_attention
from attention_lab.mechanism.registry import PIECES, choose, make_attention
from attention_lab.mechanism.ring import Ring
from attention_lab.mechanism.scores import SCORES

__all__ = [
    "IMPLEMENTATIONS",
    "NORMALIZERS",
    "PIECES",
    "SCORES",
    "Attention",
    "Context",
    "Dims",
    "Memory",
    "Ring",
    "Score",
    "attend",
    "choose",
    "cross_attention",
    "dropout",
    "init_attention",
    "init_multi_head",
    "make_attention",
    "multi_head",
    "remember",
    "remember_heads",
    "score_matrix",
    "self_attention",
]
