"""What is legal is one table, and the README shows it."""

import jax
import jax.numpy as jnp
import pytest

from attention_lab.mechanism import (
    Dims,
    cross_attention,
    init_attention,
    legality,
    make_attention,
    remember,
)
from attention_lab.mechanism.registry import PIECES

pytestmark = pytest.mark.oldest


def test_the_table_names_every_piece():
    listed = {(row.kind, row.name) for row in legality.table()}
    assert listed == {(kind, name) for kind, pieces in PIECES.items() for name in pieces}


def test_every_no_in_the_table_has_its_reason_below():
    notes = legality.markdown().split("\n\n")[1]
    for row in legality.table():
        assert all(row.cells.values()) == (not row.reasons)
        assert all(reason in notes for reason in row.reasons)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"implementation": "flash"}, "there is no such implementation; choose dense"),
        ({"implementation": "blockwise", "weights": True}, "only dense computes"),
        ({"implementation": "fused", "weights": True}, "only dense computes"),
        ({"implementation": "blockwise", "rng": jax.random.key(0)}, "only dense supports dropout"),
        ({"implementation": "fused"}, "float32 even for float64"),
    ],
)
def test_what_an_implementation_cannot_do_is_refused(options, message):
    attention = make_attention()
    params = init_attention(attention, jax.random.key(0), Dims(4, 4))
    x = jnp.ones((3, 4), jnp.float64 if "float64" in message else jnp.float32)
    with pytest.raises(ValueError, match=message):
        cross_attention(attention, params, x, remember(attention, params, x, x), **options)


@pytest.mark.parametrize("normalize, expected", [("softmax", "blockwise"), ("sparsemax", "dense")])
def test_without_a_wish_long_sequences_go_in_tiles_where_legal(normalize, expected):
    attention = make_attention(normalize=normalize)
    request = legality.Request("self", None)
    assert legality.decide(attention, request, 10**6) == expected
    assert legality.decide(attention, request, 100) == "dense"
    assert legality.decide(attention, request._replace(weights=True), 10**6) == "dense"
    assert legality.decide(attention, request._replace(dropout=True), 10**6) == "dense"
