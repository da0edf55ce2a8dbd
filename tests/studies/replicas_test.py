"""A replica of a group has its own seed, batches and numbers, and its own best parameters, as if it were alone."""

import functools
import json

import jax
import numpy as np
import pytest

import attention_lab
from attention_lab import runs
from attention_lab.evaluation import metrics
from attention_lab.runs import setup
from attention_lab.studies import scheduler
from attention_lab.studies.study import study_of
from attention_lab.tasks import translation
from attention_lab.training.checkpoint import BEST, Checkpoints
from attention_lab.training.hooks import read
from attention_lab.training.optimizer import adam
from attention_lab.training.step import init_state
from tests.experiments import tiny_study
from tests.experiments.sentences import corpus

# The last learns so fast that it becomes worse.
ARMS = {
    "plain": {},
    "smooth": {"training.label_smoothing": 0.3},
    "dropout": {"training.dropout": 0.5},
    "fast": {"training.learning_rate": 0.5},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A group of replicas that was trained, and the model, corpus and optimizer of each."""
    folder = tmp_path_factory.mktemp("replicas")
    corpus(folder)
    few = [(folder / "validation.jsonl").read_text(encoding="utf-8").splitlines()[0]]
    few.append(json.dumps({"source": "my ann", "target": "nothing of that " * 4, "links": []}))
    (folder / "validation.jsonl").write_text("\n".join(few), encoding="utf-8")
    config = json.loads(tiny_study.get_config().to_json())
    config |= {"arms": ARMS, "seeds": [5, 3]}
    base = config["base"]
    base["data"]["options"]["path"] = f"{folder}/{{split}}.jsonl"
    base["model"]["decoder"]["kind"] = "fixed"
    base["decoding"]["beam"] = 1
    base["training"] |= {"tokens": 1000, "validations": 50, "warmup": 1, "workers": 0}
    base["training"] |= {"dropout": 0.1, "label_smoothing": 0.1, "schedule": "constant"}
    (group,) = study_of(config, folder / "study").groups
    x64 = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)  # as commands have it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translation, "bleu", coarse)
        scheduler.run(study_of(config, folder / "study"), [group], scheduler.Machine(devices=1))
    yield group, {(one.arm.name, one.seed): alone(one.config) for one in group.replicas}
    jax.config.update("jax_enable_x64", x64)


@functools.cache
def coarse(tokenize="13a"):
    """A BLEU of which many are equal, so that perplexity decides."""
    exact = metrics.bleu(tokenize)
    return exact._replace(of=lambda statistics: exact.of(statistics) // 1.5)


def alone(config):
    """What a run of this config gives: the loss and the tokens of each update, and parameters after it."""
    built = setup.corpus_of(config)
    model = runs.model_of(config, built.codec)
    optimizer = adam(config["training"]["clip"])
    batches = setup.batches_of(config, built.rows)
    updates = setup.updates_of(config, batches)
    hyper = {name: np.float32(value) for name, value in setup.hyper_of(config).items()}
    state = init(model, optimizer, config["seed"], hyper)
    step = step_of(config, model, optimizer, updates)
    found = []
    for number in range(updates):
        state, metrics = step(state, batches[number])
        found.append((float(metrics["loss"]), int(metrics["tokens"]), state.params))
    return found


INIT, STEPS = {}, {}


def init(model, optimizer, seed, hyper):
    if not INIT:
        INIT["made"] = jax.jit(lambda key, hyper: init_state(model, optimizer, key, hyper))
    return INIT["made"](jax.random.key(seed), hyper)


def step_of(config, model, optimizer, updates):
    if not STEPS:
        STEPS["made"] = jax.jit(setup.step_of(config, model, optimizer, updates))
    return STEPS["made"]


def distance(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return sum(float(np.sum((np.asarray(x) - np.asarray(y)) ** 2)) for x, y in pairs)


def test_each_replica_has_its_own_loss_and_tokens(trained):
    group, each = trained
    lines = [line for line in read(group.folder / "metrics.jsonl") if line["kind"] == "train"]
    for number, replica in enumerate(group.replicas):
        losses, tokens, _ = zip(*each[replica.arm.name, replica.seed], strict=True)
        assert len(lines) == len(losses) > 2  # an update is followed by a validation
        assert [line["loss"][number] for line in lines] == pytest.approx(losses, rel=1e-4)
        assert [line["tokens"][number] for line in lines] == np.cumsum(tokens).tolist()
    # No two are alike by chance.
    last = [one[-1][0] for one in each.values()]
    assert min(abs(a - b) for n, a in enumerate(last) for b in last[:n]) > 1e-3 * max(last)


def test_each_replica_keeps_its_own_best_parameters(trained):
    group, each = trained
    lines = [line for line in read(group.folder / "metrics.jsonl") if line["kind"] == "validation"]
    by_bleu = by_perplexity = 0
    for number, replica in enumerate(group.replicas):
        bleu, perplexity = (
            [line[name][number] for line in lines] for name in ("bleu", "perplexity")
        )
        # The best BLEU, of equals the least perplexity, of equals the first.
        place = min(range(len(lines)), key=lambda n: (-bleu[n], perplexity[n], n))
        by_bleu += perplexity[place] > min(perplexity)
        by_perplexity += bleu.count(bleu[place]) > 1
        run = attention_lab.load(group.replica_folder(replica))
        snapshots = [(name, n) for name, one in each.items() for n in range(len(one))]
        nearest = min(snapshots, key=lambda at: distance(run.params, each[at[0]][at[1]][2]))
        assert nearest == ((replica.arm.name, replica.seed), place)
        assert run.config["seed"] == replica.seed
        assert run.config["training"] == replica.arm.config["training"]
    assert by_bleu and by_perplexity


def test_a_replica_s_row_is_of_its_own_run(trained):
    group, _ = trained
    rows = [json.loads(line) for line in group.results.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in read(group.folder / "metrics.jsonl") if line["kind"] == "validation"]
    for number, (row, replica) in enumerate(zip(rows, group.replicas, strict=True)):
        assert (row["arm"], row["seed"]) == (replica.arm.name, replica.seed)
        perplexities = [line["perplexity"][number] for line in lines]
        assert [one["perplexity"] for one in row["curve"]] == perplexities
        text = (group.replica_folder(replica) / "evaluation" / "test.txt").read_text(
            encoding="utf-8"
        )
        assert text.split("\n")[:-1] == row["hypotheses"]
    assert len({row["parameters"] for row in rows}) == 1 and rows[0]["flops"] > 0
    assert Checkpoints(group.replica_folder(group.replicas[0]) / "checkpoints").step(BEST) == 1
