"""The attention mechanism: pure mathematics on one query and one key. Read contracts.py first, then attention.py.

Conventions, where codebases differ:

- Positions count from 0, by default along each sequence. So `causal`, j ≤ i, is the upper left triangle where
  Q ≠ K; queries at positions K − Q .. K − 1 (`positions=`) see the lower right one, as do the newest tokens of a cache.
- Windows include both their ends: `window(r)` is 2r + 1 positions, and so are `local_m(D)` and `local_p(D)` with
  2D + 1, around t and around ⌊p⌋.
- True means "may be looked at", in `valid`, `seen` and every mask. A query that may see nothing gets zeros.
- Rotary turns the pairs of features (2m, 2m + 1), and sinusoids alternate sine and cosine; `halves=True` is the
  other layout, with the second half of the features beside the first.
- ALiBi's slopes are those of the authors' code for any number of query heads, and are no parameters.
- Shaw's vectors and T5's buckets are indexed by j − i: key minus query.
- `general` is qᵀ W k, and `scaled_dot` divides by the square root of the query's features.
- Projections multiply from the left, W [out, in], and have no bias; heads are consecutive, and query head h attends to
  key-value head ⌊h · G / H⌋.
- Sums over features and keys are kept in float32 at least; a softmax over nothing is 0, as is its gradient.
"""

from attention_lab.mechanism.attention import (
    Attention,
    Context,
    Memory,
    attend,
    init_attention,
    remember,
)
from attention_lab.mechanism.contracts import Dims, Head, Score
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
    "Head",
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
