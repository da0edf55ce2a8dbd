"""Embeddings of source and target tokens, and the logits of the next token."""

import math
import operator
from types import MappingProxyType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from attention_lab.mechanism.contracts import Array, affine
from attention_lab.models.base import look_up

UNWRITTEN = -1e4  # the logit of a copy: its probability is 0 in float32
TIES = ("nothing", "output", "all", "inputs")


# The standard deviations of initial tables by the names of `shape.INITS`; None: 1/√D.
INITS = MappingProxyType({"lecun": None, "normal": 0.02, "gpt2": 0.02, "t5": 1.0})


class Scales(NamedTuple):
    """The scales of embeddings and logits.

    scaled: whether embeddings are multiplied by √D (Vaswani et al. 2017, §3.4); with the default init and a tied table,
    both inputs and logits then have unit variance. init: one of `INITS`; an output matrix of its own always starts with
    1/√D. divided_logits: whether logits are divided by √D, as T5's are (Raffel et al. 2020, their code). logits_bias:
    whether a bias is added to logits. copies: pairs of ids, of which the first is read
    as the second, and has the logit `UNWRITTEN`.
    """

    scaled: bool = True
    init: str = "lecun"
    divided_logits: bool = False
    logits_bias: bool = False
    copies: tuple[tuple[int, int], ...] = ()


def make_scales(**words: Any) -> Scales:
    """Returns the `Scales` of these fields. Raises ValueError if a name is unknown or a value is not of its type."""
    for name in words:
        look_up("option of embeddings", Scales._fields, name)
    scales = Scales(**words)
    look_up("init of embeddings", INITS, scales.init)
    for name in ("scaled", "divided_logits", "logits_bias"):
        if not isinstance(getattr(scales, name), bool):
            raise ValueError(f"embeddings: {name}={getattr(scales, name)!r} must be True or False")
    try:
        copies = tuple((operator.index(copy), operator.index(of)) for copy, of in scales.copies)
    except (TypeError, ValueError):
        raise ValueError(
            f"embeddings: copies={scales.copies!r} must be pairs of ids, as ((2, 3),)"
        ) from None
    return scales._replace(copies=copies)


class Embeddings(nn.Module):
    """E_x, E_y and the output matrix, as three tables, two, or one (Press & Wolf 2017).

    source_features: of E_x; None: the source has no tokens, and there is no E_x. target_features: of E_y and the
    output. tie: "nothing"; "output": logits are inner products with E_y; "all": E_y is E_x too, or the first rows of
    it, which requires a joint vocabulary; "inputs": E_y is E_x, but logits have a matrix of their own.
    """

    source_vocabulary: int
    target_vocabulary: int
    source_features: int | None
    target_features: int
    tie: str
    scales: Scales

    def setup(self) -> None:
        """Makes the tables. Raises ValueError if one vocabulary is not the beginning of the other."""
        one = self.tie in ("all", "inputs") and self.source_features is not None
        if one and self.source_vocabulary < self.target_vocabulary:
            raise ValueError(
                f"tie={self.tie!r} needs one joint vocabulary, but the source has {self.source_vocabulary} "
                f"tokens and the target {self.target_vocabulary}"
            )

        def table(name, rows, features, deviation=INITS[self.scales.init]):
            deviation = 1 / math.sqrt(features) if deviation is None else deviation
            return self.param(name, nn.initializers.normal(deviation), (rows, features))

        wide = self.target_features
        self.source = None
        if one:
            self.source = table("target", self.source_vocabulary, wide)
            self.target = self.source[: self.target_vocabulary]
        else:
            self.target = table("target", self.target_vocabulary, wide)
            if self.source_features is not None:
                self.source = table("source", self.source_vocabulary, self.source_features)
        untied = self.tie in ("nothing", "inputs")
        self.output = table("output", self.target_vocabulary, wide, None) if untied else self.target
        self.bias = None
        if self.scales.logits_bias:
            self.bias = self.param("bias", nn.initializers.zeros, (self.target_vocabulary,))

    @property
    def dtype(self) -> Any:
        """The type of the tables."""
        return self.target.dtype

    def of_source(self, tokens: Array, dtype: Any = None) -> Array:
        """Returns √D · E_x[token], or E_x[token]: tokens [..] -> [.., D], in `dtype`, by default that of the table."""
        return self._look_up(self.source, tokens, dtype)

    def of_target(self, tokens: Array, dtype: Any = None) -> Array:
        """Returns √D · E_y[token], or E_y[token]: tokens [..] -> [.., D], in `dtype`, by default that of the table."""
        return self._look_up(self.target, tokens, dtype)

    def logits(self, features: Array) -> Array:
        """Returns W r, or W r / √D, plus a bias if there is one: [.., D] -> [.., V], in float32 at least."""
        logits = affine(features, self.output.T)
        logits = logits / math.sqrt(features.shape[-1]) if self.scales.divided_logits else logits
        if self.bias is not None:
            logits = logits + jnp.reshape(self.bias, (1,) * (logits.ndim - 1) + (-1,))
        if not self.scales.copies:
            return logits
        copies, _ = np.transpose(self.scales.copies)
        return logits.at[..., copies].set(UNWRITTEN)

    def _look_up(self, table, tokens, dtype):
        for copy, of in self.scales.copies:
            tokens = jnp.where(tokens == copy, of, tokens)
        # An id outside the vocabulary gives NaN rather than the embedding of another word.
        rows = jnp.take(table, tokens, axis=0)
        rows = rows * math.sqrt(table.shape[-1]) if self.scales.scaled else rows
        return rows if dtype is None else rows.astype(dtype)
