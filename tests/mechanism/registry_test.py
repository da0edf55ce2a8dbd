"""Mechanisms in words: equal words give the same piece, wrong ones a helpful line."""

import jax
import jax.numpy as jnp
import pytest

from attention_lab.mechanism import (
    Dims,
    choose,
    cross_attention,
    init_attention,
    make_attention,
    remember,
)
from attention_lab.mechanism.locality import local_p
from attention_lab.mechanism.masks import both, causal, window
from attention_lab.mechanism.positions import rotary
from attention_lab.mechanism.scores import additive

pytestmark = pytest.mark.oldest


def test_equal_words_give_the_very_same_piece():
    assert choose("mask", "both(causal, window(3))") is both(causal, window(3))
    assert choose("score", "rotary(additive)") is rotary(additive)
    assert choose("locality", "local_p(half_width=4)") is choose(
        "locality", "local_p(half_width=4)"
    )
    assert make_attention(score="dot") == make_attention(score="dot")
    assert hash(make_attention(mask="window(2)")) == hash(make_attention(mask="window(2)"))


def test_options_may_be_left_out_where_the_paper_gives_them():
    assert choose("locality", "local_p") is local_p()


@pytest.mark.parametrize(
    "kind, words, message",
    [
        ("score", "addditive", "did you mean 'additive'"),
        ("score", "", "not of the form"),
        ("score", "dot(3)", "takes no options"),
        ("score", "rotary(dto)", "did you mean 'dot'"),
        ("mask", "window", "window\\(reach\\): missing a required argument"),
        ("mask", "window(-1)", "0 or more"),
        ("mask", "1 + 1", "not of the form"),
        ("mask", "window(2)(3)", "not of the form"),
        ("locality", "local_p(0)", "1 or more"),
        ("locality", "local_grid(8, 0)", "1 or more"),
        ("locality", "local_grid(0)", "1 column or more"),
        ("mask", "grid_window(0)", "1 column or more"),
        ("mask", "grid_window(8, -1)", "0 or more"),
        ("feedback", "windowed(0)", "1 or more"),
        ("bias", "t5(buckets=7)", "multiple of 4"),
        ("feedback", "location_aware(width=4)", "odd width"),
        ("encoding", "sine", "known are"),
    ],
)
def test_wrong_words_are_refused_in_one_line(kind, words, message):
    with pytest.raises(ValueError, match=message) as error:
        choose(kind, words)
    assert "\n" not in str(error.value)


def test_a_piece_itself_is_pointed_to_where_it_goes():
    with pytest.raises(ValueError, match=r"goes into Attention\(score="):
        make_attention(score=additive)


@pytest.mark.parametrize("position", [-1, 24, 10**6])
def test_a_position_that_a_table_has_not_is_nan(position):
    encoding = choose("encoding", "learned")
    params = encoding.init(jax.random.key(0), Dims(4, 4, positions=24))
    assert jnp.all(jnp.isnan(encoding.encode(params, jnp.ones(4), position)))


@pytest.mark.parametrize(
    "kind, words, message",
    [
        ("score", "rotary", r"does not fit rotary\(a score, base=10000.0, halves=False\): missing"),
        ("score", "rotary(3)", "score must be the name of a score"),
        ("score", "rotary(dot, 0)", "base must be positive"),
        ("mask", "both(causal, 4)", "second must be the name of a mask"),
        ("mask", "window('a')", "reach must be a whole number"),
        ("mask", "window(True)", "reach must be a whole number"),
        ("mask", "window(causal)", "reach must be a whole number"),
        ("bias", "t5(32, 128, 1)", "bidirectional must be True or False"),
        ("bias", "shaw(0)", "clip must be at least 1"),
        ("locality", "local_m([])", "half_width must be a whole number"),
    ],
)
def test_an_option_of_the_wrong_kind_is_reported(kind, words, message):
    with pytest.raises(ValueError, match=message):
        choose(kind, words)


def test_an_unknown_field_is_reported_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'locality'"):
        make_attention(lokality="global_")


@pytest.mark.parametrize(
    "words, dims, message",
    [
        ({"score": "dot"}, Dims(4, 6), "q has 4 features and k has 6; use general"),
        ({"score": "location"}, Dims(4, 4), "location needs dims.positions"),
        ({"score": "rotary(dot)"}, Dims(5, 5), "even number"),
    ],
)
def test_dimensions_that_cannot_work_are_reported_at_init(words, dims, message):
    with pytest.raises(ValueError, match=message):
        init_attention(make_attention(**words), jax.random.key(0), dims)


def test_more_keys_than_location_has_rows_is_an_error():
    attention = make_attention(score="location")
    params = init_attention(attention, jax.random.key(0), Dims(4, 4, positions=3))
    with pytest.raises(ValueError, match="location supports 3 positions, but there are 5 keys"):
        remember(attention, params, jnp.ones((5, 4)), jnp.ones((5, 4)))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"keys": jnp.ones((5, 6))}, "a key of 6 features does not fit .* dims.key=6"),
        ({"queries": jnp.ones((2, 7))}, "a query of 7 features does not fit .* dims.query=7"),
        ({"keys": jnp.ones((2, 5, 4))}, "use jax.vmap for a batch"),
        ({"queries": jnp.ones((4,))}, "queries must be one sequence"),
        ({"keys": jnp.ones((0, 4))}, "there are no keys"),
        ({"queries": jnp.ones((0, 4))}, "there are no queries"),
        (
            {"valid": jnp.ones(3, bool)},
            r"valid must have shape \(5,\), one entry per position, but has \(3,\)",
        ),
        ({"valid": jnp.ones(5)}, "must be bool, True for the keys that exist, but is float"),
        ({"keys": jnp.ones((5, 4), int)}, "keys must be of a floating-point type"),
        ({"positions": [0, 1, 2]}, r"positions must have shape \(2,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_one_line(options, message):
    attention = make_attention(score="additive")
    params = init_attention(attention, jax.random.key(0), Dims(4, 4))
    given = {
        "queries": jnp.ones((2, 4)),
        "keys": jnp.ones((5, 4)),
        "valid": None,
        "positions": None,
    }
    given |= options
    with pytest.raises(ValueError, match=message):
        memory = remember(attention, params, given["keys"], jnp.ones((5, 4)), given["valid"])
        cross_attention(attention, params, given["queries"], memory, positions=given["positions"])


def test_keys_and_values_must_be_equally_many():
    attention = make_attention(score="dot")
    params = init_attention(attention, jax.random.key(0), Dims(4, 4))
    with pytest.raises(ValueError, match="5 keys but 4 values"):
        remember(attention, params, jnp.ones((5, 4)), jnp.ones((4, 4)))
