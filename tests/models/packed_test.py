"""Documents that are packed into one target are decoded as if each were alone."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.models.base import restarted, shift_right, starts_of
from attention_lab.special_tokens import START
from tests.models.small import (
    STRUCTURES,
    batch_of,
    example,
    padded,
    params_of,
    sentences,
    transformer,
)

LENGTHS, SPARE = (5, 1, 6), 2
# The number of a document says nothing but where it ends: the third is not the first.
SEGMENTS = np.repeat([4, 0, 4, 9], [*LENGTHS, SPARE])
DECODERS = {
    name: STRUCTURES[name]
    for name in (
        "bahdanau, 2 layers of lstm",
        "luong",
        "coverage",
        "no attention",
        "transformer, as t5",
        "transformer, as bart",
        "transformer, as gpt",
    )
} | {
    # Pieces that ask for positions themselves, and not for their differences alone.
    "absolute": lambda: transformer(
        encoder=None, decoder={"score": "location", "locality": "local_p(2)", "mask": "prefix(2)"}
    ),
    "shaw, local-m in cross-attention": lambda: transformer(
        decoder={"bias": "shaw(2)"}, cross={"locality": "local_m(1)"}, layers=1
    ),
}


def packed(documents, source, segments=SEGMENTS):
    """One example with all documents, and padding after them."""
    target = padded(np.concatenate(documents), len(segments))
    return {"source": padded(source, 7), "target": target, "segments": jnp.asarray(segments)}


@pytest.mark.parametrize("name", DECODERS)
def test_a_packed_row_has_the_logits_and_weights_of_each_document_alone(name):
    model = DECODERS[name]()
    params = params_of(model)
    (source,), documents = sentences(0, 5), sentences(1, *LENGTHS)
    look = jax.jit(partial(model.apply, weights=True))
    together = look(params, packed(documents, source))
    batch = batch_of(documents, max(LENGTHS))
    apart = jax.jit(
        jax.vmap(
            lambda target: model.apply(
                params, {"source": padded(source, 7), "target": target}, weights=True
            )
        )
    )(batch)
    begin = 0
    for number, length in enumerate(LENGTHS):
        rows = slice(begin, begin + length)
        alone = jax.tree.map(lambda x, n=number: np.asarray(x[n]), apart)
        np.testing.assert_allclose(together.logits[rows], alone.logits[:length], atol=1e-6)
        for place, weights in alone.weights.items():
            if place.startswith("encoder"):
                continue
            shown = np.asarray(together.weights[place][:, rows])
            if place.startswith("decoder"):
                assert not np.any(np.delete(shown, np.r_[rows], axis=2))
                shown, weights = shown[..., rows], weights[..., :length]
            np.testing.assert_allclose(shown, weights[:, :length], atol=1e-6)
        begin += length


@pytest.mark.parametrize("name", ["luong", "transformer, as gpt"])
def test_no_gradient_flows_from_a_document_to_another(name):
    model = DECODERS[name]()
    params = params_of(model)
    (source,), documents = sentences(0, 5), [[7, 8, 9, 8, 3], [3], [10, 11, 12, 10, 11, 3]]
    one = packed([np.array(document) for document in documents], source)
    table = params["embeddings"]["target"]

    @partial(jax.jit, static_argnums=(1, 2))
    @jax.grad
    def gradient(table, begin, end):
        given = {**params, "embeddings": {**params["embeddings"], "target": table}}
        # Logits of words that no document has: where one table is tied, all others' gradients are of what was read.
        return jnp.sum(model.apply(given, one).logits[begin:end, :2] ** 2)

    for rows, own, others in (((0, 5), (7, 8, 9), (10, 11)), ((6, 12), (10, 11, 12), (7, 8, 9))):
        found = np.asarray(gradient(table, *rows))
        assert np.all(np.any(found[list(own)], axis=1))
        assert not np.any(found[list(others)])


def test_documents_of_a_long_row_which_is_computed_in_tiles_are_apart():
    model = STRUCTURES["transformer, as gpt"]()
    params = params_of(model)
    lengths = (70, 90)
    documents = sentences(2, *lengths)
    segments = np.repeat([0, 1], lengths)
    together = jax.jit(model.apply)(params, packed(documents, [5, 3], segments)).logits
    for document, rows in zip(documents, (slice(0, 70), slice(70, 160)), strict=True):
        alone = jax.jit(model.apply)(params, example([5, 3], document)).logits
        np.testing.assert_allclose(together[rows], alone, atol=1e-6)


def test_what_the_decoder_reads_begins_anew_or_is_given():
    starts = starts_of(jnp.asarray([7, 7, 2, 2, 2, 7]))
    assert starts.tolist() == [True, False, True, False, False, True]
    assert restarted(starts).tolist() == [0, 1, 0, 1, 2, 0]
    target = jnp.asarray([8, 3, 9, 8, 3, 5])
    assert shift_right(target, starts).tolist() == [START, 8, START, 9, 8, START]
    model = STRUCTURES["transformer, as gpt"]()
    params, apply = params_of(model), jax.jit(model.apply)
    one = example([5, 3], target)
    plain = apply(params, one).logits
    same = apply(params, {**one, "inputs": shift_right(target)}).logits
    other = apply(params, {**one, "inputs": shift_right(target).at[2].set(11)}).logits
    np.testing.assert_array_equal(same, plain)
    np.testing.assert_array_equal(other[:2], plain[:2])
    assert not np.allclose(other[2:], plain[2:])


def test_numbers_that_are_not_one_for_each_position_are_refused():
    model = STRUCTURES["luong"]()
    params = jax.eval_shape(model.init, jax.random.key(0))
    one = example([5, 3], [6, 7, 3])
    for name in ("inputs", "segments"):
        with pytest.raises(
            ValueError, match=rf"{name} must have one number .*\(3,\), but .*\(2,\)"
        ):
            model.apply(params, {**one, name: jnp.zeros(2, int)})
