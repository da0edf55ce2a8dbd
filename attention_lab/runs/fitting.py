"""The trainer of the package: it trains a group of replicas, which may be one run or all seeds of a study's arms."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from attention_lab.data.pipeline import Batches
from attention_lab.mechanism.contracts import Params
from attention_lab.models import Model
from attention_lab.runs import setup, showing
from attention_lab.runs.folder import record_session
from attention_lab.runs.initialization import initial_run, initialize
from attention_lab.runs.validation import Validation
from attention_lab.training import mesh, processes, replicas
from attention_lab.training.checkpoint import LATEST, Checkpoints
from attention_lab.training.compile_ahead import CompileAhead
from attention_lab.training.hooks import Meter, MetricsLog, SaveCheckpoint, Validate
from attention_lab.training.interrupt import Interrupt
from attention_lab.training.loop import Hook, every, every_minutes, train
from attention_lab.training.nonfinite import NonFiniteGuard
from attention_lab.training.prefetch import Prefetch
from attention_lab.training.replicas import Layout, StackedBatches, init_states, spread

AGREE = 10  # updates between two collective decisions of the processes whether to stop
MINUTES = 5.0  # between two checkpoints, in addition to those at validations


class Group(NamedTuple):
    """Replicas that are trained as one program: runs that differ only in seeds and traced hyperparameters.

    configs: one config for each replica. folder: contains metrics.jsonl and checkpoints/. layout: the distribution of
    replicas over devices. devices: the mesh over which a single replica is split, or None. shard_state: whether the
    training state is split over that mesh too.
    """

    configs: tuple[Mapping[str, Any], ...]
    folder: Path
    layout: Layout = Layout()
    devices: Mesh | None = None
    shard_state: bool = False


def fit(
    group: Group,
    corpus: setup.Corpus,
    model: Model,
    validation: Validation,
    interrupt: Interrupt,
    improved: Callable[[int, Params], None] = lambda update, best: None,
) -> Params:
    """Trains a group from its latest checkpoint to the end of its budget; returns the best parameters [S, ..].

    validation: ranks the parameters of each replica. interrupt: saves a checkpoint and raises Stopped on a signal or
    at a time limit. improved: is called with the number of updates and the best parameters [S, ..] after each
    validation in which a replica improved.
    """
    config = group.configs[0]
    training = config["training"]
    # Every device has the same number of replicas: copies of the last one fill the remaining slots.
    filler = group.layout.slots(len(group.configs)) - len(group.configs)
    configs = [*group.configs, *group.configs[-1:] * filler]
    batches = [setup.batches_of(one, corpus.rows) for one in configs]
    updates = setup.updates_of(config, batches[0])
    optimizer = setup.optimizer_of(config)
    seeds, hypers = [one["seed"] for one in configs], [setup.hyper_of(one) for one in configs]
    states = init_states(model, optimizer, seeds, hypers, group.layout)
    checkpoints = Checkpoints(group.folder / "checkpoints")
    resumed = checkpoints.step(LATEST) is not None
    if config["initialize_from"] and not resumed:
        initialized = initialize(states.params, configs)
        states = states._replace(params=initialized.params)
        if processes.is_first():
            print(f"start    from {initial_run(config)}: {initialized}", flush=True)
    states, best = _placed(group, (states, _copy(states.params)))
    if resumed:
        progress = checkpoints.restore(LATEST, {"states": states, "best": best})
        states, best = _placed(group, (progress["states"], progress["best"]))
    done = int(jnp.max(states.step))
    if processes.is_first():
        record_session(group.folder)
        count = sum(x.size for x in jax.tree.leaves(best)) // len(configs)
        print(
            showing.plan(model.name, count, corpus, batches[0], updates, done, validation),
            flush=True,
        )

    metrics_log = MetricsLog(group.folder / "metrics.jsonl", done)
    stacked = StackedBatches(batches)
    shared, transfer = _shared(group, stacked), _transfer(group)
    prefetched = Prefetch(shared, training["workers"], updates, transfer)
    meter = Meter(
        metrics_log,
        updates,
        NonFiniteGuard(stacked, group.folder, metrics_log),
        lambda: prefetched.waited,
    )
    evaluate = validation.make_evaluator(group.layout)
    validate = Validate(
        lambda params: evaluate(processes.gather(params)),
        metrics_log,
        meter,
        best,
        better=validation.better,
        patience=training["patience"],
        improved=lambda update: improved(update.number, validate.best),
        replicas=len(group.configs),
    )
    save = SaveCheckpoint(checkpoints, meter, validate)
    period = -(-updates // training["validations"])
    hooks: list[Hook] = [meter, every(period, validate), every(period, save)]
    several = jax.process_count() > 1
    if not several:  # saving is collective, and the clocks of processes differ
        hooks.append(every_minutes(MINUTES, save))
    drops = model.draws or any(hyper["dropout"] for hyper in hypers)
    one_step = setup.step_of(config, model, optimizer, updates, drops)
    step = jax.jit(spread(one_step, group.layout), donate_argnums=0)
    if not validate.reason_to_stop():  # an earlier session may have stopped early
        firsts = [number for number in batches[0].first_of_lengths(done) if number < updates]
        lengths = [transfer(shared[number]) for number in firsts]
        with (
            interrupt.saving(save, processes.any_process, AGREE if several else 1) as saving,
            CompileAhead(step, states, lengths, meter.print) as compiled,
        ):
            train(compiled, states, prefetched, updates, [*hooks, saving])
    return validate.best


@jax.jit
def _copy(tree):
    """Copies a tree as one program; copying leaf by leaf would compile one program for each shape."""
    return jax.tree.map(jnp.copy, tree)


def _placed(group, trees):
    if group.devices is None:
        return replicas.place(trees, group.layout)
    put = partial(mesh.place, mesh=group.devices, shard_state=group.shard_state, leading=1)
    return tuple(map(put, trees))


def _shared(group: Group, stacked: StackedBatches) -> Batches | Any:
    return stacked if group.devices is None else mesh.Split(stacked, group.devices, leading=1)


def _transfer(group: Group) -> Callable[[Any], Any]:
    """Returns the function that transfers a prefetched batch to the device; the identity if there are several devices."""
    alone = group.devices is None and group.layout.devices == 1
    return jax.device_put if alone else lambda batch: batch
