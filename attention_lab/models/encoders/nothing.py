"""The encoder of no source: a decoder with this encoder is a language model."""

import jax.numpy as jnp

from attention_lab.models.base import Dropout, Encoded
from attention_lab.models.encoders.contract import Encoder
from attention_lab.padded import Padded


class Nothing(Encoder):
    """An encoder without states; it ignores its input."""

    features = None
    label = "nothing"
    embedding = None
    reads = "nothing"

    def __call__(self, source: Padded, dropout: Dropout, weights: bool = False) -> Encoded:
        """Returns no state and no summary."""
        del source, dropout, weights
        return Encoded(jnp.zeros((0, 0)), jnp.zeros(0, bool), jnp.zeros(0), {})


def nothing() -> Nothing:
    """Returns the encoder without states."""
    return Nothing()
