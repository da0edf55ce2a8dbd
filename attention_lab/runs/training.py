"""A run trained within its budget, evaluated on its test set, and shown: what `attention_lab.train` does."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax

from attention_lab.data.pipeline import Batches
from attention_lab.decoding import COARSE
from attention_lab.models import Model
from attention_lab.runs import checks, leases, setup, showing
from attention_lab.runs.evaluation import bar, earlier, evaluate, examples_of
from attention_lab.runs.folder import load, model_of, sit, write
from attention_lab.runs.run import Run
from attention_lab.runs.validation import Judged, judged_on, make_judge
from attention_lab.training import processes
from attention_lab.training.ahead import Ahead
from attention_lab.training.checkpoint import LATEST, Checkpoints
from attention_lab.training.finite import Finite
from attention_lab.training.hooks import Journal, Keep, Meter, Validate
from attention_lab.training.interrupt import Interrupt
from attention_lab.training.loop import Hook, every
from attention_lab.training.loop import train as run_updates
from attention_lab.training.mesh import Devices, Split, make_mesh, place, shardings
from attention_lab.training.optimizer import adam
from attention_lab.training.step import TrainState, init_state

AGREE = 10  # updates after which processes ask each other whether to stop


def train(
    config: Any,
    workdir: Path | str,
    *,
    max_minutes: float | None = None,
    showcase: Sequence[str] | None = None,
) -> Run | None:
    """Trains what the config asks for in a folder that no other run writes to; resumes what was stopped there.

    config: plain data, as config.json of a run holds it. max_minutes: stop then, with everything saved. showcase:
    sentences whose attention is shown in the end, by default the config's. Returns the run with its best parameters;
    None in processes but the first. Raises ValueError where the config cannot be trained, before anything is
    written, and Stopped where the time was up; the same call then resumes.
    """
    config = json.loads(json.dumps(config))  # tuples become lists, as in config.json
    checks.run(config)
    setup.prepare()
    workdir = Path(workdir)
    shown = list(config["showcase"] if showcase is None else showcase)
    with ExitStack() as kept:
        with processes.or_none():
            if processes.is_first():
                kept.enter_context(leases.alone(workdir))
                Checkpoints(workdir / "checkpoints", alone=True).rehearse()
        return _train(config, workdir, shown, kept.enter_context(Interrupt(max_minutes)))


def _train(config: Any, workdir: Path, showcase: list[str], interrupt: Interrupt) -> Run | None:
    test = config["data"]["test"]
    with processes.or_none():
        corpus = setup.corpus_of(config, workdir)
        tokenizers = corpus.source_tokenizer, corpus.target_tokenizer
        model = model_of(config, *tokenizers)
        # Devices that cannot be had, or cannot share the heads, are refused before anything is written.
        shardings(
            jax.eval_shape(model.init, jax.random.key(0)), make_mesh(Devices(**config["devices"]))
        )
        given = judged_on(config, corpus, model)
        batches = setup.batches_of(config, corpus.pairs)
        setup.updates_of(config, batches)
        if processes.is_first():
            # Read only after training, a test set that cannot be read would be known hours too late.
            earlier(workdir, test, setup.split_of(config, test))
            write(workdir, config, *tokenizers, corpus.data)
    fit(config, workdir, corpus, batches, model, given, interrupt)
    interrupt.check()
    processes.shutdown()
    if not processes.is_first():
        return None
    run = load(workdir)
    # Wide steps: most of these programs will be run here for the only time.
    earlier(workdir, test, examples_of(run, test))
    found = evaluate(run, test, bar, step=COARSE)
    print(showing.scores(found.results), flush=True)
    found.save(workdir)
    choice = found.results.get("alignment")
    for number, sentence in enumerate(showcase):
        (shown,) = run.translate([sentence], weights=True)
        picture = workdir / "evaluation" / f"showcase_{number}.png"
        showing.translation(run, sentence, shown, picture=picture, choice=choice)
    print(f"\nall of it  {workdir}")
    return run


def fit(
    config: Any,
    workdir: Path,
    corpus: setup.Corpus,
    batches: Batches,
    model: Model,
    given: Judged,
    interrupt: Interrupt,
) -> TrainState:
    """Trains within the budget, going on from the latest checkpoint where there is one."""
    training = config["training"]
    updates = setup.updates_of(config, batches)
    optimizer = adam(training["clip"])
    rng = jax.random.key(config["seed"])
    state = init_state(model, optimizer, rng, setup.hyper_of(config))
    devices = Devices(**config["devices"])
    mesh = make_mesh(devices)
    if mesh.size > 1:
        state = place(state, mesh, devices.shard_state)
    checkpoints = Checkpoints(workdir / "checkpoints")
    if checkpoints.step(LATEST) is not None:
        state = checkpoints.restore(LATEST, state)
    if processes.is_first():
        sit(workdir)
    count = sum(x.size for x in jax.tree.leaves(state.params))
    if processes.is_first():
        done = int(state.step)
        print(showing.plan(model.name, count, corpus, batches, updates, done, given), flush=True)

    journal = Journal(workdir / "metrics.jsonl", int(state.step))
    shared = Split(batches, mesh) if mesh.size > 1 else batches
    placed = (lambda batch: batch) if mesh.size > 1 else jax.device_put
    ahead = Ahead(shared, training["workers"], updates, placed)
    meter = Meter(journal, updates, Finite(batches, workdir, journal), lambda: ahead.waited)
    judge = make_judge(model, given)  # each process by itself, and all find the same
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
    train_step = jax.jit(setup.step_of(config, model, optimizer, updates), donate_argnums=0)
    if validate.reason_to_stop():  # an earlier sitting found one
        return state
    period = AGREE if jax.process_count() > 1 else 1
    with interrupt.saving(keep, processes.anyone, period) as saving:
        return run_updates(train_step, state, ahead, updates, [*hooks, saving])
