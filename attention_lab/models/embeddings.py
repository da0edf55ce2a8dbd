"""Words in and out: embeddings of source and target tokens, and the logits of the next one."""

import math
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from attention_lab.mechanism.contracts import Array
from attention_lab.models.base import affine

TIES = ("nothing", "output", "all")


class Embeddings(nn.Module):
    """E_x, E_y and the output matrix: one table each, two, or one for all (Press & Wolf 2017).

    tie: "nothing"; "output": logits are inner products with E_y; "all": E_y is E_x too, or the first rows of
    it, which makes sense with a joint vocabulary. Embeddings are scaled by √D (Vaswani et al. 2017, §3.4), so
    that a tied table gives inputs of unit variance and logits of unit variance both.
    """

    source_vocabulary: int
    target_vocabulary: int
    features: int
    tie: str = "nothing"

    def setup(self) -> None:
        """Makes the tables. Raises ValueError where they cannot be tied as asked."""
        if self.tie not in TIES:
            raise ValueError(f"tie={self.tie!r} is not one of {', '.join(TIES)}")
        one = self.tie == "all"
        if one and self.source_vocabulary < self.target_vocabulary:
            raise ValueError(
                f"tie='all' needs one joint vocabulary, but the source has {self.source_vocabulary} "
                f"tokens and the target {self.target_vocabulary}"
            )

        def table(name, rows):
            return self.param(
                name, nn.initializers.normal(1 / math.sqrt(self.features)), (rows, self.features)
            )

        if one:
            self.source = table("target", self.source_vocabulary)
            self.target = self.source[: self.target_vocabulary]
        else:
            self.target = table("target", self.target_vocabulary)
            self.source = table("source", self.source_vocabulary)
        self.output = (
            table("output", self.target_vocabulary) if self.tie == "nothing" else self.target
        )

    def of_source(self, tokens: Array, dtype: Any = None) -> Array:
        """√D · E_x[token]: tokens [..] -> [.., D], in that type, by default the table's."""
        return self._look_up(self.source, tokens, dtype)

    def of_target(self, tokens: Array, dtype: Any = None) -> Array:
        """√D · E_y[token]: tokens [..] -> [.., D], in that type, by default the table's."""
        return self._look_up(self.target, tokens, dtype)

    def logits(self, features: Array) -> Array:
        """W r: [.., D] -> [.., V], in float32 at least."""
        return affine(features, self.output.T)

    def _look_up(self, table, tokens, dtype):
        # An id beyond the vocabulary gives NaN rather than another word.
        rows = jnp.take(table, tokens, axis=0) * math.sqrt(self.features)
        return rows if dtype is None else rows.astype(dtype)
