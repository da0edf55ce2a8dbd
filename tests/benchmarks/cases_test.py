"""Cases of a benchmark: which there are, what is refused, and the arithmetic that each requires."""

import copy

import pytest

from attention_lab.benchmarks import cases
from attention_lab.benchmarks.cases import Case, Sizes
from attention_lab.mechanism import SCORES
from attention_lab.mechanism.masks import MASKS
from configs.benchmarks import mechanism

SIZES = Sizes(heads=2, features=8, hidden=3, seed=0)
PAIRS = 2 * 16**2  # of query and key, in all heads of length 16


def case(score, direction="forward", causal=False, implementation="blockwise"):
    return Case("group", score, implementation, 16, direction, causal)


@pytest.mark.parametrize("score", ["dot", "scaled_dot", "general"])
def test_an_inner_product_needs_two_products_forward_and_seven_in_both_directions(score):
    forward, both = (
        cases.work(case(score, direction), SIZES) for direction in ("forward", "forward+backward")
    )
    assert forward == {"matmul": 2 * 2 * PAIRS * 8}
    assert both == {"matmul": 7 * 2 * PAIRS * 8}


@pytest.mark.parametrize(("direction", "times"), [("forward", 1), ("forward+backward", 2)])
def test_additive_needs_a_tanh_for_each_pair_and_attention_feature(direction, times):
    expected = times * PAIRS * 3
    found = cases.work(case("additive", direction), SIZES)
    assert found == {"tanh_cache": expected, "tanh_stream": expected}


@pytest.mark.parametrize("score", ["dot", "additive"])
def test_the_causal_mask_halves_the_arithmetic(score):
    whole, half = (cases.work(case(score, causal=causal), SIZES) for causal in (False, True))
    assert half == {name: number / 2 for name, number in whole.items()}


def test_the_mechanism_of_a_case_has_its_score_and_mask():
    whole, half = (cases.mechanism(case("general", causal=causal)) for causal in (False, True))
    assert (whole.score, whole.mask) == (SCORES["general"], MASKS["everything"])
    assert (half.score, half.mask) == (SCORES["general"], MASKS["causal"])


def test_no_arithmetic_is_counted_for_a_score_of_neither_family():
    assert cases.work(case("distance"), SIZES) == {}


def config_with(changes):
    """The config of `small`, with fields of itself or, as "group.field", of its group "dot"."""
    config = copy.deepcopy(mechanism.get_config("small"))
    for name, value in changes.items():
        where = config.groups.dot if name.startswith("group.") else config
        with where.unlocked(), where.ignore_type():
            where[name.removeprefix("group.")] = value
    return config


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        *[(field, 0, "1 or more") for field in ("heads", "features", "hidden", "memory_limit_mib")],
        ("heads", 1.5, "1 or more"),
        ("seed", -1, "whole number, 0 to 4294967295"),
        ("seed", 2**32, "whole number, 0 to 4294967295"),
        ("seed", 0.5, "whole number, 0 to 4294967295"),
        ("group.lengths", (16, 0), "1 or more"),
        ("group.lengths", -1, "1 or more"),
        ("group.repetitions", 0, "1 or more"),
        ("group.implementations", ("dens",), "did you mean 'dense'"),
        ("group.baselines", ("torchs",), "did you mean 'torch'"),
        ("group.directions", "backward", "there is no 'backward'"),
        ("group.causal", "no", "there is no 'no'"),
        ("group.scores", ("dto",), "did you mean 'dot'"),
        ("group.scores", ("additive",), "additive, "),
    ],
)
def test_a_field_that_cannot_be_is_refused_with_its_name(field, value, message):
    changes = {field: value}
    if value == ("additive",):  # which is legal, but not as a product of matrices
        changes["group.implementations"] = ("fused",)
    with pytest.raises(ValueError, match=message) as raised:
        cases.rounds(config_with(changes))
    name = field.replace("group", "groups.dot")
    assert str(raised.value).startswith("config." + name.removesuffix(".scores"))
    assert "\n" not in str(raised.value)


def test_a_round_has_every_score_and_library_at_one_length_direction_and_mask():
    config = config_with(
        {
            "groups": {
                "dot": mechanism.group(
                    ("dot", "general"),
                    ("dense", "blockwise"),
                    (32, 16),
                    5,
                    ("jax",),
                    directions=("forward+backward", "forward"),
                    causal=(False, True),
                )
            },
            "seed": 2**32 - 1,
        }
    )
    rounds = cases.rounds(config)
    keys = [{(one.length, one.direction, one.causal) for one in turn.cases} for turn in rounds]
    assert keys == [
        {(length, direction, causal)}
        for causal in (False, True)
        for direction in ("forward+backward", "forward")
        for length in (16, 32)
    ]
    for turn in rounds:
        assert turn.repetitions == 5
        assert [(one.score, one.implementation, one.ours) for one in turn.cases] == [
            ("dot", "dense", True),
            ("dot", "blockwise", True),
            ("general", "dense", True),
            ("general", "blockwise", True),
            ("dot", "jax", False),
        ]
    assert rounds[-1].cases[0].label() == "dot dense 32 forward causal"
    assert rounds[0].cases[0].label() == "dot dense 16 forward+backward"


def test_a_config_without_a_case_is_refused():
    none, some = mechanism.group((), (), (16,), 1), mechanism.group(("dot",), ("dense",), (16,), 1)
    with pytest.raises(ValueError, match="contains no case"):
        cases.rounds(config_with({"groups": {"none": none}}))
    rounds = cases.rounds(config_with({"groups": {"none": none, "some": some}}))
    assert sum(len(turn.cases) for turn in rounds) == 2
