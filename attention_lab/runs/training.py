"""A run trained within its budget, evaluated on its test set, and shown: what `attention_lab.train` does."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax

from attention_lab.decoding import COARSE
from attention_lab.mechanism.contracts import Params
from attention_lab.runs import checks, leases, setup, showing
from attention_lab.runs.evaluation import bar, check_earlier_scores, evaluate, examples_of
from attention_lab.runs.fitting import Group, fit
from attention_lab.runs.folder import load, model_of, write
from attention_lab.runs.run import Run
from attention_lab.runs.validation import validation_of
from attention_lab.training import processes
from attention_lab.training.checkpoint import BEST, Checkpoints
from attention_lab.training.interrupt import Interrupt
from attention_lab.training.mesh import Devices, make_mesh, shardings
from attention_lab.training.replicas import take


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
        interrupt = Interrupt(max_minutes)
        with processes.or_none():
            if processes.is_first():
                lease = kept.enter_context(leases.alone(workdir))
                kept.enter_context(interrupt.guarded(lease.check))
                Checkpoints(workdir / "checkpoints", alone=True).rehearse()
        return _train(config, workdir, shown, kept.enter_context(interrupt))


def _train(config: Any, workdir: Path, showcase: list[str], interrupt: Interrupt) -> Run | None:
    test = config["data"]["test"]
    with processes.or_none():
        corpus = setup.corpus_of(config, workdir)
        model = model_of(config, corpus.codec)
        # Devices that cannot be had, or cannot share the heads, are refused before anything is written.
        devices = Devices(**config["devices"])
        mesh = make_mesh(devices)
        shardings(jax.eval_shape(model.init, jax.random.key(0)), mesh)
        validation = validation_of(config, corpus, model)
        setup.updates_of(config, setup.batches_of(config, corpus.pairs))
        if processes.is_first():
            # Read only after training, a test set that cannot be read would be known hours too late.
            check_earlier_scores(workdir, test, setup.split_of(config, test))
            write(workdir, config, corpus.codec, corpus.data)
    checkpoints = Checkpoints(workdir / "checkpoints")
    split = mesh if mesh.size > 1 else None
    group = Group((config,), workdir, devices=split, shard_state=devices.shard_state)

    def improved(update: int, best: Params) -> None:
        checkpoints.save(BEST, update, take(best, 0))

    fit(group, corpus, model, validation, interrupt, improved)
    interrupt.check()
    processes.shutdown()
    if not processes.is_first():
        return None
    run = load(workdir)
    # Wide steps: most of these programs will be run here for the only time.
    check_earlier_scores(workdir, test, examples_of(run, test))
    result = evaluate(run, test, bar, step=COARSE)
    print(showing.scores(run, result.results), flush=True)
    interrupt.check_guards()  # the folder may be another process's by now
    result.save(workdir)
    choice = result.results.get("alignment")
    for number, sentence in enumerate(showcase):
        (shown,) = run.translate([sentence], weights=True)
        picture = workdir / "evaluation" / f"showcase_{number}.png"
        showing.translation(run, sentence, shown, picture=picture, choice=choice)
    print(f"\nall of it  {workdir}")
    return run
