"""The encoder of no source: a decoder with this encoder is a language model."""

import jax.numpy as jnp
from flax import linen as nn

from attention_lab.models.base import Dropout, Encoded
from attention_lab.padded import Padded


class Nothing(nn.Module):
    """An encoder without states; it ignores its input."""

    embedding: None = None
    features: None = None
    label: str = "nothing"

    def __call__(self, source: Padded, dropout: Dropout, weights: bool = False) -> Encoded:
        """Returns no state and no summary."""
        del source, dropout, weights
        return Encoded(jnp.zeros((0, 0)), jnp.zeros(0, bool), jnp.zeros(0), {})

    def limit(self, params) -> None:
        """Returns None: there is no source to be too long."""
        del params


def nothing() -> Nothing:
    """Returns the encoder without states."""
    return Nothing()
