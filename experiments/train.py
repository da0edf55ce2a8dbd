"""Trains a translation model, and judges it on the test set.

    python -m experiments.train --config=configs/quickstart.py
    python -m experiments.train --config=configs/quickstart.py --config.model.decoder.attention.score=general
    python -m experiments.train --config=configs/multi30k.py:gru --workdir=runs/multi30k_gru
    python -m experiments.train --coordinator=HOST:PORT --processes=2 --process=0    # and --process=1, elsewhere
    python -m experiments.train --print_config

The same command goes on with a run that was stopped. --workdir, by default runs/NAME of the config, gets
config.json, origin.json, the tokenizers, metrics.jsonl, checkpoints/ and evaluation/. A folder that was begun with
another config, or on other data, is refused. Exit status: 0, also where SIGTERM, Ctrl-C or --max_minutes stopped it in
order, with everything saved; 2 where the command cannot be obeyed.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax
from absl import flags
from ml_collections import config_flags

from attention_lab import runs
from attention_lab.data.pipeline import Batches
from attention_lab.decoding import COARSE
from attention_lab.models import Model
from attention_lab.training import processes
from attention_lab.training.ahead import Ahead
from attention_lab.training.checkpoint import LATEST, Checkpoints
from attention_lab.training.finite import Finite
from attention_lab.training.hooks import Journal, Keep, Meter, Validate
from attention_lab.training.interrupt import Interrupt
from attention_lab.training.loop import Hook, every, train
from attention_lab.training.mesh import Devices, Split, make_mesh, place, shardings
from attention_lab.training.optimizer import adam
from attention_lab.training.step import TrainState, init_state
from experiments import checks, command, hosts, leases, showing, translation

DEFAULT = "configs/quickstart.py"
AGREE = 10  # updates after which processes ask each other whether to stop
CONFIG = config_flags.DEFINE_config_file("config", None, f"What to train, by default {DEFAULT}.")
WORKDIR = flags.DEFINE_string("workdir", None, "Where everything goes, by default runs/NAME.")
MAX_MINUTES = flags.DEFINE_float(
    "max_minutes", None, "Stop then, in order; the same command goes on.", lower_bound=0
)
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config, and train nothing.")
flags.adopt_module_key_flags(hosts)  # so that --help tells of them


def main(words: list[str]) -> None:
    """Trains what the config asks for."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("data", "model"))
    if config is None:
        return
    checks.run(config)
    hosts.connect()
    translation.prepare()
    workdir = Path(WORKDIR.value or f"runs/{config['name']}")
    with ExitStack() as kept:
        with processes.or_none():
            if processes.is_first():
                kept.enter_context(leases.alone(workdir))
                Checkpoints(workdir / "checkpoints", alone=True).rehearse()
        obey(config, workdir, kept.enter_context(Interrupt(MAX_MINUTES.value)))


def obey(config: Any, workdir: Path, interrupt: Interrupt) -> None:
    """Trains, judges and shows, in a folder that no other run writes to."""
    test, showcase = config["data"]["test"], list(map(command.as_text, config["showcase"]))
    with processes.or_none():
        corpus = translation.corpus_of(config, workdir)
        tokenizers = corpus.source_tokenizer, corpus.target_tokenizer
        model = runs.model_of(config, *tokenizers)
        # Devices that cannot be had, or cannot share the heads, are told before anything is written.
        shardings(
            jax.eval_shape(model.init, jax.random.key(0)), make_mesh(Devices(**config["devices"]))
        )
        given = translation.judged_on(config, corpus, model)
        batches = translation.batches_of(config, corpus.pairs)
        translation.updates_of(config, batches)
        if processes.is_first():
            # Read only after training, a test set that cannot be read would be known hours too late.
            translation.earlier(workdir, test, translation.split_of(config, test))
            runs.write(workdir, config, *tokenizers, corpus.data)
    fit(config, workdir, corpus, batches, model, given, interrupt)
    interrupt.check()
    hosts.part()
    if not processes.is_first():
        return
    run = runs.load(workdir)
    # Wide steps: most of these programs will be run here for the only time.
    translation.earlier(workdir, test, translation.examples_of(run, test))
    found = translation.evaluate(run, test, translation.bar, step=COARSE)
    print(showing.scores(found.results), flush=True)
    found.save(workdir)
    choice = found.results.get("alignment")
    for number, sentence in enumerate(showcase):
        (shown,) = run.translate([sentence], weights=True)
        picture = workdir / "evaluation" / f"showcase_{number}.png"
        showing.translation(run, sentence, shown, picture=picture, choice=choice)
    print(f"\nall of it  {workdir}")


def fit(
    config: Any,
    workdir: Path,
    corpus: translation.Corpus,
    batches: Batches,
    model: Model,
    given: translation.Judged,
    interrupt: Interrupt,
) -> TrainState:
    """Trains within the budget, going on from the latest checkpoint where there is one."""
    training = config["training"]
    updates = translation.updates_of(config, batches)
    optimizer = adam(training["clip"])
    rng = jax.random.key(config["seed"])
    state = init_state(model, optimizer, rng, translation.hyper_of(config))
    devices = Devices(**config["devices"])
    mesh = make_mesh(devices)
    if mesh.size > 1:
        state = place(state, mesh, devices.shard_state)
    checkpoints = Checkpoints(workdir / "checkpoints")
    if checkpoints.step(LATEST) is not None:
        state = checkpoints.restore(LATEST, state)
    if processes.is_first():
        runs.sit(workdir)
    count = sum(x.size for x in jax.tree.leaves(state.params))
    if processes.is_first():
        done = int(state.step)
        print(showing.plan(model.name, count, corpus, batches, updates, done, given), flush=True)

    journal = Journal(workdir / "metrics.jsonl", int(state.step))
    shared = Split(batches, mesh) if mesh.size > 1 else batches
    placed = (lambda batch: batch) if mesh.size > 1 else jax.device_put
    ahead = Ahead(shared, training["workers"], updates, placed)
    meter = Meter(journal, updates, Finite(batches, workdir, journal), lambda: ahead.waited)
    judge = translation.make_judge(model, given)  # each process by itself, and all find the same
    validate = Validate(
        lambda params: judge(processes.whole(params)),
        journal,
        meter,
        checkpoints,
        patience=training["patience"],
    )
    period = -(-updates // training["validations"])
    keep = Keep(checkpoints, meter)
    hooks: list[Hook] = [meter, every(period, validate), every(period, keep)]
    train_step = jax.jit(translation.step_of(config, model, optimizer, updates), donate_argnums=0)
    if validate.reason_to_stop():  # an earlier sitting found one
        return state
    period = AGREE if jax.process_count() > 1 else 1
    with interrupt.saving(keep, processes.anyone, period) as saving:
        return train(train_step, state, ahead, updates, [*hooks, saving])


if __name__ == "__main__":
    command.run(main, DEFAULT)
