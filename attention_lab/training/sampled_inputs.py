"""Training on the model's own predictions: some inputs of the decoder are sampled from it (Bengio et al. 2015).

The tokens are drawn where all inputs before are those of the target, in one pass for all positions, and a second pass
reads them (Mihaylova & Martins 2019): with few sampled inputs the difference from drawing one after the other is small,
a Transformer can do it too, and it costs one forward pass.
"""

from typing import Any

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models.base import Model, shift_right, starts_of


def sample_inputs(
    model: Model, params: Params, example: dict[str, Any], rng: Array, share: float
) -> dict[str, Any]:
    """Returns the example with "inputs", int[T], each of which is with probability `share` a prediction of the model.

    The prediction for the position before is drawn from the model without dropout; the first input of a document stays.
    """
    target = example["target"].values
    starts = starts_of(example["segments"]) if "segments" in example else None
    inputs = example.get("inputs")
    inputs = shift_right(target, starts) if inputs is None else inputs
    rng_tokens, rng_places = jax.random.split(rng)
    logits = jax.lax.stop_gradient(model.apply(params, example).logits)
    drawn = shift_right(jax.random.categorical(rng_tokens, logits).astype(inputs.dtype), starts)
    first = jnp.arange(len(inputs)) == 0 if starts is None else starts
    own = jax.random.bernoulli(rng_places, share, inputs.shape) & ~first
    return {**example, "inputs": jnp.where(own, drawn, inputs)}
