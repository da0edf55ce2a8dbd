"""Fine-tuning: a run starts from the parameters, and with the tokenizers, of another one."""

import jax
import numpy as np
import pytest

import attention_lab
from attention_lab.data.tokenizer import train
from attention_lab.data.vocabularies import Codec
from attention_lab.runs import folder, setup
from attention_lab.runs.initialization import codec_from, initialize
from attention_lab.studies import checked, scheduler
from attention_lab.training.checkpoint import BEST, Checkpoints
from attention_lab.training.replicas import stack, take
from tests.tasks.tiny import config_of, study_of

TOKENIZER = train("word", ["the man saw a ball . Where is the dog ?"], 30)
CODEC = Codec(TOKENIZER, TOKENIZER)
DATA = {"train": "0" * 64}


def random(model, seed):
    """Parameters of a model, which need no compilation."""
    rng, shapes = np.random.default_rng(seed), jax.eval_shape(model.init, jax.random.key(0))
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(x.dtype), shapes)


def save(workdir, seed=0, codec=CODEC, best=True, **changes):
    """A run with the parameters of a seed, without any training."""
    config = config_of("denoising", **changes)
    params = random(folder.model_of(config, codec), seed)
    folder.write(workdir, config, codec, DATA)
    if best:
        Checkpoints(workdir / "checkpoints").save(BEST, 1, params)
    return params


def started(workdir, seeds=(0,), **changes):
    """Configs of replicas that start from a folder, and parameters of their own."""
    fields = {"initialize_from": str(workdir), **changes}
    configs = [{**config_of("summarization", **fields), "seed": seed} for seed in seeds]
    model = folder.model_of(configs[0], CODEC)
    return configs, stack([random(model, 100 + seed) for seed in seeds])


def by_name(params):
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a pretrained run with a table of positions, and its parameters."""
    workdir = tmp_path_factory.mktemp("pretrained") / "run"
    return workdir, save(workdir, model__encoder__encoding="learned")


def test_what_fits_is_taken_and_what_does_not_is_listed_with_the_reason(saved):
    workdir, pretrained = saved
    configs, own = started(workdir, model__decoder__layers=2, model__decoder__feed_forward=12)
    found = initialize(own, configs)
    before, after, known = map(by_name, (own, found.params, pretrained))
    assert after.keys() == before.keys()
    left = dict(line.split(" ", 1) for line in found.left)
    for name, leaf in after.items():
        if name in found.taken:
            np.testing.assert_array_equal(leaf[0], known[name])
            assert leaf.dtype == before[name].dtype
        else:
            np.testing.assert_array_equal(leaf, before[name])
    new = {name for name in before if "layer_1" in name}
    other = {name for name in before if "decoder/layer_0/feed/" in name and "W_2/bias" not in name}
    table = {name for name in known if "positions" in name}
    assert new and other and table
    assert {name for name, why in left.items() if why == "is new"} == new
    kernel = next(name for name in other if name.endswith("W_1/kernel"))
    assert left[kernel] == f"has the shape (8, 12), and (8, 16) in {workdir}"
    assert {name for name in left if "has the shape" in left[name]} == other
    assert {name for name in left if "has no place" in left[name]} == table
    assert set(found.taken) == before.keys() - new - other and len(found.taken) > 20
    assert str(found).splitlines()[0] == f"{len(found.taken)} arrays of parameters"
    assert len(str(found).splitlines()) == 1 + len(left)


def test_all_replicas_start_from_one_run_or_each_from_that_of_its_seed(tmp_path):
    pretrained = {seed: save(tmp_path / f"seed_{seed}", seed) for seed in (4, 2)}
    for name, wanted in (("seed_4", (4, 4)), ("seed_{seed}", (2, 4))):
        configs, own = started(tmp_path / name, seeds=(2, 4))
        found = initialize(own, configs)
        assert not found.left
        for replica, seed in enumerate(wanted):
            jax.tree.map(
                np.testing.assert_array_equal, take(found.params, replica), pretrained[seed]
            )


def test_the_tokenizers_are_those_of_the_other_run(saved):
    workdir, _ = saved
    config = config_of("summarization", initialize_from=str(workdir))
    assert codec_from(config) == CODEC
    assert codec_from(config_of("summarization")) is None
    corpus = setup.corpus_of(config)
    assert corpus.codec == CODEC and max(map(max, corpus.rows.source)) < len(TOKENIZER)
    assert setup.corpus_of(config_of("summarization")).codec != CODEC


REFUSED = {
    "no run": ("nothing", {}, "and there is no run in that folder"),
    "no parameters": ("untrained", {}, "there is no best checkpoint in .*untrained"),
    "nothing that fits": (
        "run",
        {"model__encoder__features": 4, "model__decoder__features": 4, "model__decoder__heads": 1}
        | {"model__encoder__heads": 1, "model__encoder__feed_forward": 7}
        | {"model__decoder__feed_forward": 7},
        "none of its parameters has the name and shape of one of this model",
    ),
    "other tokenizers": ("{seed}", {}, "have different tokenizers; start from equal ones"),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    where = tmp_path_factory.mktemp("refused")
    save(where / "run")
    save(where / "untrained", best=False)
    other = train("word", ["one two three four five six seven eight nine ten"], 30)
    for seed, codec in enumerate((CODEC, Codec(other, other))):
        save(where / str(seed), codec=codec)
    return where


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_a_beginning_is_reported_before_anything_is_written(what, folders, tmp_path):
    name, changes, message = REFUSED[what]
    fields = {"initialize_from": str(folders / name), **changes}
    study = checked(study_of("summarization", **fields), tmp_path / "study")
    with pytest.raises(ValueError, match=message) as raised:
        scheduler.write_study(study)
    assert "\n" not in str(raised.value) and not (tmp_path / "study").exists()
    if what != "other tokenizers":  # a run has only one seed
        with pytest.raises(ValueError, match=message) as raised:
            attention_lab.train(config_of("summarization", **fields), tmp_path / "run")
        assert "\n" not in str(raised.value) and not (tmp_path / "run").exists()
