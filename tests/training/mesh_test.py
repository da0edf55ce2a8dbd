"""A run on many devices is the run on one: batches, states and heads split as they may be."""

import functools
import itertools

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from attention_lab.data.perceived import Perceived
from attention_lab.data.pipeline import Batches
from attention_lab.training.mesh import Devices, Split, make_mesh, place, shardings
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.step import init_state, make_train_step
from tests.data.pipeline_test import pairs_of
from tests.models.small import pair, recurrent, source_of, transformer

pytestmark = pytest.mark.xdist_group("mesh")
HYPER = {"learning_rate": 0.01, "weight_decay": 0.0, "dropout": 0.2, "label_smoothing": 0.1}
UPDATES = 20
MODELS = {
    "recurrent": recurrent,
    "transformer": lambda: transformer(
        encoder={"bias": "t5(8, 12)"}, shared_bias=True, projection_bias=True, layers=1
    ),
    "images": lambda: pair("convolutional", "bahdanau", doubly_stochastic=0.5, gate=True),
    "frames": lambda: pair("transformer", "transformer", {"reads": "frames"}),
}
LAYOUTS = {
    "data": Devices(2),
    "fully sharded": Devices(2, shard_state=True),
    "heads": Devices(1, heads=2),
}
SLOW = [pytest.mark.slow, pytest.mark.promise]


def batches(name="recurrent"):
    rows = pairs_of([(3 + n % 4, 3 + n % 3) for n in range(12)])
    if name in ("images", "frames"):  # in place of texts
        arrays = [source_of(MODELS[name](), number, 8) for number in range(12)]
        rows = Perceived(arrays.__getitem__, np.full(12, 8), rows.target, {})
    return Batches(rows, tokens=24, buckets=1)


def placed(name, devices):
    """Model, optimizer and the state before the first update."""
    model, optimizer = MODELS[name](), adam(1.0)
    state = init_state(model, optimizer, jax.random.key(0), HYPER)
    if devices is not None:
        state = place(state, make_mesh(devices), devices.shard_state)
    return model, optimizer, state


@functools.cache
def trained(name, devices=None):
    """The state after UPDATES updates, dropout on, and the losses on the way."""
    model, optimizer, state = placed(name, devices)
    given = batches(name)
    if devices is not None:
        given = Split(given, make_mesh(devices))
    step = jax.jit(make_train_step(model, optimizer, SCHEDULES["constant"](3, 1)), donate_argnums=0)
    losses = []
    for number in range(UPDATES):
        state, metrics = step(state, given[number])
        losses.append(float(metrics["loss"]))
    return state, losses


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        pytest.param(*case, marks=[] if case == ("recurrent", "fully sharded") else SLOW)
        for case in itertools.product(MODELS, LAYOUTS)
        if case not in (("recurrent", "heads"), ("images", "heads"))  # which these have not
    ],
)
def test_losses_are_those_of_one_device(name, layout):
    alone, together = trained(name)[1], trained(name, LAYOUTS[layout])[1]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    assert len(set(alone)) == UPDATES


def test_heads_and_hidden_features_lie_on_their_own_devices():
    whole = placed("transformer", LAYOUTS["heads"])[2].params
    table = whole["encoder"]["bias"]["heads"]["attention"]["bias"]["table"]
    assert table.sharding.spec == P("heads", None)
    params = whole["decoder"]["layer_0"]
    heads = params["attend_source"]["heads"]
    assert heads["b_Q"].sharding.spec == heads["b_V"].sharding.spec == P("heads", None)
    assert heads["b_O"].sharding.spec == P(None)
    assert heads["W_Q"].sharding.spec == heads["W_K"].sharding.spec == P("heads", None, None)
    assert heads["W_O"].sharding.spec == P(None, "heads", None)
    assert params["feed"]["W_1"]["kernel"].sharding.spec == P(None, "heads")
    assert params["feed"]["W_2"]["kernel"].sharding.spec == P("heads", None)
    assert {shard.data.shape[0] for shard in heads["W_Q"].addressable_shards} == {1}


def test_a_sharded_state_takes_each_device_half_of_the_room():
    state, _ = trained("recurrent", LAYOUTS["fully sharded"])
    leaves = [leaf for leaf in jax.tree.leaves((state.params, state.opt_state)) if leaf.size > 1]
    held = sum(leaf.addressable_shards[0].data.size for leaf in leaves)
    assert held < 0.6 * sum(leaf.size for leaf in leaves)


def test_rows_of_padding_make_a_batch_divide():
    given = Split(batches(), make_mesh(Devices(2)))
    for number in range(3):
        plain, split = batches()[number], given[number]
        for side, rows in plain.items():
            for padded, given_rows in zip(map(np.asarray, split[side]), rows, strict=True):
                assert len(padded) % 2 == 0
                np.testing.assert_array_equal(padded[: len(given_rows)], given_rows)
                assert not padded[len(given_rows) :].any()


def test_one_row_of_padding_makes_three_divide_and_no_row_longer():
    class Three:
        def __getitem__(self, number):
            return {"ids": np.full((3, 2), number), "valid": np.ones(3, bool)}

    found = Split(Three(), make_mesh(Devices(2)))[5]
    assert found["ids"].tolist() == [[5, 5], [5, 5], [5, 5], [0, 0]]
    assert found["valid"].tolist() == [True, True, True, False]
    assert {len(x.sharding.device_set) for x in found.values()} == {2}


def test_an_axis_of_replicas_before_the_others_is_not_split():
    class Replicas:
        def __getitem__(self, number):
            return {"ids": np.ones((2, 3, 5))}

    mesh = make_mesh(Devices(2))
    found = Split(Replicas(), mesh, leading=1)[0]["ids"]
    assert found.shape == (2, 4, 5) and tuple(found.sharding.spec) == (None, "data")
    assert np.asarray(found).sum((0, 2)).tolist() == [10, 10, 10, 0]
    state = {
        "feed": {"W_1": {"kernel": np.zeros((8, 4, 6))}},
        "step": np.zeros(2),
        "odd": np.zeros((2, 3)),
    }
    placed = place(state, mesh, shard_state=True, leading=1)
    specs = [tuple(x.sharding.spec) for x in jax.tree.leaves(placed)]
    assert specs == [(None, None, "data"), (None, None), (None,)]
    by_head = shardings(state, make_mesh(Devices(1, heads=2)), leading=1)
    assert tuple(by_head["feed"]["W_1"]["kernel"].spec) == (None, None, "heads")


def test_devices_that_are_not_there_and_heads_that_do_not_divide_are_reported():
    with pytest.raises(ValueError, match="100 x 1 devices"):
        make_mesh(Devices(100))
    state = {"decoder_0": {"attend": {"heads": {"W_Q": np.zeros((3, 2, 2))}}}}
    with pytest.raises(ValueError, match="has 3 heads or features, which 2 devices cannot share"):
        shardings(state, make_mesh(Devices(1, heads=2)))


def test_a_model_without_heads_is_reported_that_it_has_none_to_share():
    params = jax.eval_shape(recurrent().init, jax.random.key(0))
    with pytest.raises(
        ValueError, match=r"devices.heads is 2, but this model has no heads"
    ) as raised:
        shardings(params, make_mesh(Devices(1, heads=2)))
    assert "\n" not in str(raised.value)
    shardings(params, make_mesh(Devices(2, heads=1)))


def test_a_parameter_is_split_by_heads_and_then_along_its_longest_axis_that_divides():
    def specs(devices, **shapes):
        state = {name: np.zeros(shape) for name, shape in shapes.items()}
        found = shardings({"feed": {"W_1": state}}, make_mesh(devices), devices.shard_state)
        return {name: tuple(one.spec) for name, one in found["feed"]["W_1"].items()}

    shapes = {
        "kernel": (8, 6),
        "bias": (6,),
        "odd": (3, 5),
        "long": (3, 4),
        "one": (),
        "even": (2, 2),
    }
    whole = {name: (None,) * len(shape) for name, shape in shapes.items()}
    assert specs(Devices(2), **shapes) == whole
    sharded = {
        "kernel": ("data", None),
        "bias": ("data",),
        "long": (None, "data"),
        "even": ("data", None),
    }
    assert specs(Devices(2, shard_state=True), **shapes) == whole | sharded
    by_head = {"kernel": (None, "heads"), "bias": ("heads",)}
    assert specs(Devices(1, heads=2), **shapes) == whole | by_head
    # Along one device "data" divides everything: what heads have taken is not split twice.
    both = specs(Devices(1, heads=2, shard_state=True), **shapes)
    assert both["kernel"] == ("data", "heads") and both["bias"] == ("heads",)


def test_a_mesh_takes_all_devices_that_heads_leave_over():
    assert dict(make_mesh(Devices()).shape) == {"data": 2, "heads": 1}
    assert dict(make_mesh(Devices(heads=2)).shape) == {"data": 1, "heads": 2}
    assert dict(make_mesh(Devices(1)).shape) == {"data": 1, "heads": 1}
    assert make_mesh(Devices(2)).devices.ravel().tolist() == jax.devices()
    with pytest.raises(
        ValueError, match=r"1 x 3 devices \(data x heads\) were requested, but there are 2"
    ):
        make_mesh(Devices(heads=3))
