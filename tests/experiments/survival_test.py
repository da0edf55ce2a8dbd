"""A run that is killed, damaged and resumed again and again ends as if nothing had happened.

    python -m pytest -n 1 -m slow -s tests/experiments/survival_test.py
    SURVIVAL_MINUTES=30 python -m pytest -n 1 -m slow -s tests/experiments/survival_test.py -k random

All bits are compared: of the latest state, of what validation found, of the translations.
"""

import os
import random
import shutil
import time

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from attention_lab.training.hooks import read
from tests.experiments.commands import command
from tests.experiments.sentences import corpus, words

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("survival")]
MINUTES = float(os.environ.get("SURVIVAL_MINUTES", 2))
KILLS = 25
FAMILIES = {
    "recurrent": {},
    "transformer": {
        f"model.{side}.{size}": value
        for side in ("encoder", "decoder")
        for size, value in {"features": 16, "heads": 2, "feed_forward": 32, "layers": 1}.items()
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survival")
    corpus(folder)
    return folder


def arguments(folder, name, family, workers=0, **more):
    """A run of 200 updates, saved every 25."""
    given = {
        "training.dropout": 0.2,
        "training.tokens": 38500,
        "training.buckets": 2,
        "training.validations": 8,
        "training.workers": workers,
        **FAMILIES[family],
        **more,
    }
    message = words(folder, folder / name, **given)
    if family == "transformer":
        message = [
            word for word in message if not word.startswith("--config.model.") or _is_of(word)
        ]
        message[0] += ":transformer"
    return message


def _is_of(word):
    return word.split("=")[0].removeprefix("--config.") in FAMILIES["transformer"]


def undisturbed(folder, family):
    workdir = folder / f"{family}_undisturbed"
    if not (workdir / "evaluation" / "test.json").exists():
        finish(folder, workdir.name, family)
    return workdir


def finish(folder, name, family, **more):
    result = command("train", *arguments(folder, name, family, **more))
    assert result.returncode == 0, result.stderr


def validations(workdir):
    lines = [line for line in read(workdir / "metrics.jsonl") if line["kind"] == "validation"]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def same(workdir, other):
    ours, theirs = (validations(run) for run in (workdir, other))
    assert ours == theirs and len(theirs) == 8
    texts = [(run / "evaluation" / "test.txt").read_text() for run in (workdir, other)]
    assert texts[0] == texts[1]
    ours, theirs = arrays(workdir), arrays(other)
    assert ours.keys() == theirs.keys() and len(ours) > 10
    for place, array in ours.items():
        np.testing.assert_array_equal(array, theirs[place], err_msg=place)


def newest(workdir):
    """The folder of the latest checkpoint, None where there is none."""
    latest = workdir / "checkpoints" / "latest"
    steps = [int(path.name) for path in latest.glob("*") if path.name.isdecimal()]
    return latest / str(max(steps)) if steps else None


def arrays(workdir):
    """The arrays of the latest checkpoint, by place."""
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with ocp.StandardCheckpointer() as checkpointer:
        path = newest(workdir) / "default"
        shapes = checkpointer.metadata(path).item_metadata
        like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), shapes)
        found = checkpointer.restore(path, like)
    return {
        jax.tree_util.keystr(place): np.asarray(
            jax.random.key_data(leaf)
            if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else leaf
        )
        for place, leaf in jax.tree_util.tree_flatten_with_path(found)[0]
    }


def damage(workdir, chance, truncate):
    """Flips a bit of the newest checkpoint, or cuts a file of it in half. Only where one before it is there."""
    saved = newest(workdir)
    if saved is None or len(list(saved.parent.glob("*.sha256"))) < 2:
        return False
    files = [path for path in saved.rglob("*") if path.is_file() and path.stat().st_size > 1]
    path = chance.choice(sorted(files))
    content = bytearray(path.read_bytes())
    if truncate:
        del content[len(content) // 2 :]
    else:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return True


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_stopped_half_way_and_resumed_it_is_the_same_run(folder, family, workers):
    name = f"{family}_{workers}"
    given = arguments(folder, name, family, workers)
    awaited = folder / name / "checkpoints" / "latest" / "100.sha256"
    result = command("train", *given, signal_after=awaited)
    assert result.returncode == 0 and "stopped (SIGTERM, after update 1" in result.stdout, result
    finish(folder, name, family, workers=workers)
    same(folder / name, undisturbed(folder, family))


@pytest.mark.parametrize("truncate", [False, True], ids=["flipped bit", "truncated file"])
def test_a_damaged_checkpoint_costs_time_only(folder, truncate):
    chance = random.Random(truncate)
    name = f"damaged_{truncate}"
    given = arguments(folder, name, "recurrent")
    result = command(
        "train", *given, signal_after=folder / name / "checkpoints" / "latest" / "100.sha256"
    )
    assert result.returncode == 0 and damage(folder / name, chance, truncate)
    result = command("train", *given)
    assert result.returncode == 0 and "is damaged; that of update 100 is used" in result.stderr, (
        result
    )
    same(folder / name, undisturbed(folder, "recurrent"))


@pytest.mark.parametrize(("family", "workers"), [("recurrent", 2), ("transformer", 0)])
def test_killed_at_25_random_moments_it_is_the_same_run(folder, family, workers):
    chance, name = random.Random(family), f"{family}_killed"
    given = arguments(folder, name, family, workers)
    expected, moments = undisturbed(folder, family), []
    started = time.monotonic()
    while len(moments) < KILLS:
        # From when it has its folder, or goes on with its metrics; before that there is nothing to lose.
        file, moment = chance.choice(["config.json", "metrics.jsonl"]), chance.uniform(0, 6)
        if file == "config.json":
            (folder / name / file).unlink(missing_ok=True)
        result = command("train", *given, kill_after=(folder / name / file, moment))
        if result.returncode == 0:  # it was done; another life, then
            same(folder / name, expected)
            shutil.rmtree(folder / name)
            continue
        assert result.returncode == -9, result
        saved = newest(folder / name)
        moments.append((round(moment, 1), int(saved.name) if saved else 0))
    finish(folder, name, family, workers=workers)
    same(folder / name, expected)
    print(
        f"\n{family}: killed after s, saved until update: {moments}; {time.monotonic() - started:.0f} s"
    )
    assert (
        sum(update > 0 for _, update in moments) > KILLS // 3
    )  # where there was something to lose


@pytest.mark.parametrize("devices", [False, True], ids=["one device", "devices change"])
def test_random_operations_end_like_the_undisturbed_run(folder, devices):
    chance, name = random.Random(devices), f"random_{devices}"
    workdir, expected = folder / name, undisturbed(folder, "transformer")
    done: dict[str, int] = {}
    lives, until = 0, time.monotonic() + 60 * MINUTES / 2
    while time.monotonic() < until:
        more = {"workers": chance.choice([0, 1, 2])}
        count = chance.choice([1, 2]) if devices else 1
        where = {
            "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={count}"
        }
        given = arguments(folder, name, "transformer", **more)
        what = chance.choice(["kill", "kill", "terminate", "flip", "truncate"])
        if what in ("kill", "terminate"):
            moment = (workdir / "metrics.jsonl", chance.uniform(0, 6))
            when = {"kill_after": moment} if what == "kill" else {"signal_after": 4 + 2 * moment[1]}
            result = command("train", *given, environment=where, **when)
            assert result.returncode in (0, -9), result
            if "\nresults  " in result.stdout:
                (close if devices else same)(workdir, expected)
                lives += 1
                shutil.rmtree(workdir)
        elif not damage(workdir, chance, what == "truncate"):
            continue
        done[what] = done.get(what, 0) + 1
    finish(folder, name, "transformer")
    (close if devices else same)(workdir, expected)
    print(f"\n{done}, {lives + 1} runs brought to their end")
    assert sum(done.values()) >= 3


def close(workdir, other):
    """What validation finds agrees, perplexity to 1e-3."""
    ours, theirs = (
        {line["update"]: line["perplexity"] for line in validations(run)}
        for run in (workdir, other)
    )
    assert ours.keys() == theirs.keys() and len(theirs) == 8
    for update, perplexity in theirs.items():
        assert abs(ours[update] / perplexity - 1) < 1e-3, (update, ours[update], perplexity)
