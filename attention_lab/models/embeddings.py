"""Embeddings of source and target tokens, and the logits of the next token."""

import math
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from attention_lab.mechanism.contracts import Array
from attention_lab.models.base import affine

TIES = ("nothing", "output", "all")


class Embeddings(nn.Module):
    """E_x, E_y and the output matrix, as three tables, two, or one (Press & Wolf 2017).

    source_features: of E_x; None: the source has no tokens, and there is no E_x. target_features: of E_y and the
    output. tie: "nothing"; "output": logits are inner products with E_y; "all": E_y is E_x too, or the first rows of
    it, which requires a joint vocabulary. Embeddings are scaled by √D (Vaswani et al. 2017, §3.4), so that with a tied
    table both inputs and logits have unit variance.
    """

    source_vocabulary: int
    target_vocabulary: int
    source_features: int | None
    target_features: int
    tie: str

    def setup(self) -> None:
        """Makes the tables. Raises ValueError if one vocabulary is not the beginning of the other."""
        one = self.tie == "all" and self.source_features is not None
        if one and self.source_vocabulary < self.target_vocabulary:
            raise ValueError(
                f"tie='all' needs one joint vocabulary, but the source has {self.source_vocabulary} "
                f"tokens and the target {self.target_vocabulary}"
            )

        def table(name, rows, features):
            return self.param(
                name, nn.initializers.normal(1 / math.sqrt(features)), (rows, features)
            )

        wide = self.target_features
        self.source = None
        if one:
            self.source = table("target", self.source_vocabulary, wide)
            self.target = self.source[: self.target_vocabulary]
        else:
            self.target = table("target", self.target_vocabulary, wide)
            if self.source_features is not None:
                self.source = table("source", self.source_vocabulary, self.source_features)
        untied = self.tie == "nothing"
        self.output = table("output", self.target_vocabulary, wide) if untied else self.target

    @property
    def dtype(self) -> Any:
        """The type of the tables."""
        return self.target.dtype

    def of_source(self, tokens: Array, dtype: Any = None) -> Array:
        """Returns √D · E_x[token]: tokens [..] -> [.., D], in `dtype`, by default that of the table."""
        return self._look_up(self.source, tokens, dtype)

    def of_target(self, tokens: Array, dtype: Any = None) -> Array:
        """Returns √D · E_y[token]: tokens [..] -> [.., D], in `dtype`, by default that of the table."""
        return self._look_up(self.target, tokens, dtype)

    def logits(self, features: Array) -> Array:
        """Returns W r: [.., D] -> [.., V], in float32 at least."""
        return affine(features, self.output.T)

    def _look_up(self, table, tokens, dtype):
        # An id outside the vocabulary gives NaN rather than the embedding of another word.
        rows = jnp.take(table, tokens, axis=0) * math.sqrt(table.shape[-1])
        return rows if dtype is None else rows.astype(dtype)
