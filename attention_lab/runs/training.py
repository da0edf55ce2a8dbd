"""`attention_lab.train`: trains a run within its budget, evaluates it on the test set, and shows its attention."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax

from attention_lab.decoding import COARSE
from attention_lab.mechanism.contracts import Params
from attention_lab.runs import checks, initialization, leases, setup, showing
from attention_lab.runs.evaluation import bar, check_earlier_scores, evaluate, examples_of
from attention_lab.runs.fitting import Group, fit
from attention_lab.runs.folder import check_config, load, model_of, write
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
    """Trains a run in a folder of its own, or resumes an interrupted one, and evaluates it on the test set.

    config: a dict, as in a run's config.json. max_minutes: a time limit, at which a checkpoint is saved. showcase:
    sentences whose attention is shown after training, by default the config's. Returns the run with its best
    parameters, and None in all processes but the first. Raises ValueError, before anything is written, if the config
    cannot be trained, and Stopped at the time limit or on a signal; the same call then resumes.
    """
    config = json.loads(json.dumps(config))  # tuples become lists, as in config.json
    checks.run(config)
    setup.enable_compilation_cache()
    workdir = Path(workdir)
    shown = list(config["showcase"] if showcase is None else showcase)
    with ExitStack() as stack:
        interrupt = Interrupt(max_minutes)
        with processes.all_or_none():
            if processes.is_first():
                lease = stack.enter_context(leases.exclusive(workdir))
                stack.enter_context(interrupt.guarded(lease.check))
                Checkpoints(workdir / "checkpoints", single_process=True).check_round_trip()
        return _train(config, workdir, shown, stack.enter_context(interrupt))


def _train(config: Any, workdir: Path, showcase: list[str], interrupt: Interrupt) -> Run | None:
    test = config["data"]["test"]
    with processes.all_or_none():
        if processes.is_first():
            check_config(workdir, config)  # before anything takes long
        corpus = setup.corpus_of(config, workdir)
        model = model_of(config, corpus.codec)
        # These raise before anything is written if there are too few devices, or if they cannot share the heads.
        devices = Devices(**config["devices"])
        mesh = make_mesh(devices)
        shardings(jax.eval_shape(model.init, jax.random.key(0)), mesh)
        validation = validation_of(config, corpus, model)
        setup.updates_of(config, setup.batches_of(config, corpus.rows))
        if processes.is_first():
            # The test set is read now too, so that an error in it is reported before training and not after it.
            check_earlier_scores(workdir, test, setup.split_of(config, test))
            if config["initialize_from"] and not (workdir / "config.json").exists():
                initialization.check(model, (config,))
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
    check_earlier_scores(workdir, test, examples_of(run, test))
    # Coarse steps compile fewer programs, most of which are executed only once here.
    evaluation = evaluate(run, test, bar, step=COARSE)
    print(showing.scores(run, evaluation.results), flush=True)
    interrupt.check_guards()  # another process may have taken over the folder during evaluation
    evaluation.save(workdir)
    choice = evaluation.choice
    for number, sentence in enumerate(showcase):
        (translation,) = run.translate([sentence], weights=True)
        picture = workdir / "evaluation" / f"showcase_{number}.png"
        showing.translation(run, sentence, translation, picture=picture, choice=choice)
    print(f"\nresults  {workdir}")
    return run
