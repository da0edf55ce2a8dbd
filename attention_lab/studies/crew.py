"""A crew trained and judged: the loop of experiments.train, with a leading axis of replicas.

Everything stands in the crew's folder: origin.json and the tokenizers, metrics.jsonl (a number per replica),
checkpoints/latest, from which a crew that was stopped goes on, then a folder per replica, which is a run like any
other, and in the end results.jsonl. That file is the last to be written: where it is, nothing is left to do.
"""

import json
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab import runs
from attention_lab.evaluation.quality import bleu
from attention_lab.mechanism.contracts import Params
from attention_lab.models import Model
from attention_lab.runs import setup, showing, validation
from attention_lab.studies.rows import Row, counts_of, rows_of
from attention_lab.studies.sizes import size_of
from attention_lab.studies.study import Crew
from attention_lab.training.ahead import Ahead
from attention_lab.training.checkpoint import BEST, LATEST, Checkpoints
from attention_lab.training.finite import Finite
from attention_lab.training.hooks import Journal, Meter
from attention_lab.training.interrupt import Interrupt
from attention_lab.training.loop import Hook, Update, every, train
from attention_lab.training.optimizer import adam
from attention_lab.training.replicas import (
    Layout,
    Together,
    init_states,
    place,
    spread,
    take,
    where,
)

WORST = -np.inf


def run(crew: Crew, layout: Layout, interrupt: Interrupt) -> list[Row]:
    """Trains and judges all replicas, going on where an earlier sitting stopped; the rows of its results."""
    config = dict(crew.arms[0].config)
    corpus = setup.corpus_of(config, crew.folder)
    tokenizers = corpus.source_tokenizer, corpus.target_tokenizer
    model = runs.model_of(config, *tokenizers)
    longest = max(map(crew.replica_folder, crew.replicas), key=lambda folder: len(str(folder)))
    Checkpoints(longest / "checkpoints").rehearse()
    given = validation.judged_on(config, corpus, model)
    data = setup.data_of(config, crew.also) | corpus.data
    runs.begin(crew.folder, *tokenizers, data)
    best = fit(crew, layout, corpus, model, given, interrupt)
    interrupt.check()
    now = setup.data_of(config, crew.also)  # hours later
    runs.compare(data, now, "those on which the training started")
    for number, replica in enumerate(crew.replicas):
        folder = crew.replica_folder(replica)
        shutil.rmtree(folder, ignore_errors=True)  # what a stopped sitting left half done
        runs.write(folder, replica.config, *tokenizers, data)
        runs.sit(folder)
        Checkpoints(folder / "checkpoints").save(BEST, 1, take(best, number))
    size = size_of(crew, layout)
    cost = {
        "parameters": size.parameters,
        "flops": size.flops // len(crew.replicas),
        "memory": size.memory,
    }
    rows = [{**row, **cost} for row in rows_of(crew, layout, counts_of(config))]
    for row in rows:
        print(f"{row['arm']}, seed {row['seed']}: BLEU {row['bleu']:.2f}", flush=True)
    temporary = crew.results.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    temporary.replace(crew.results)
    return rows


def fit(
    crew: Crew,
    layout: Layout,
    corpus: setup.Corpus,
    model: Model,
    given: validation.Judged,
    interrupt: Interrupt,
) -> Params:
    """Each replica's best parameters [S, ..]."""
    replicas = crew.replicas
    # Every device has equally many: the last place is then taken twice.
    places = [*replicas, *replicas[-1:] * (layout.room(len(replicas)) - len(replicas))]
    configs = [replica.config for replica in places]
    config = configs[0]
    training = config["training"]
    batches = [setup.batches_of(one, corpus.pairs) for one in configs]
    updates = setup.updates_of(config, batches[0])
    optimizer = adam(training["clip"])
    hypers = [setup.hyper_of(one) for one in configs]
    states = init_states(model, optimizer, [one["seed"] for one in configs], hypers, layout)
    progress = {
        "states": states,
        "best": jax.jit(partial(jax.tree.map, jnp.copy))(
            states.params
        ),  # the states are donated to the step
        "ranks": jnp.full((len(places), 2), WORST),
    }
    checkpoints = Checkpoints(crew.folder / "checkpoints")
    if checkpoints.step(LATEST) is not None:
        progress = checkpoints.restore(LATEST, progress)
    states, best = place((progress["states"], progress["best"]), layout)
    done = int(np.max(states.step))
    count = sum(x.size for x in jax.tree.leaves(states.params)) // len(places)
    print(showing.plan(model.name, count, corpus, batches[0], updates, done, given), flush=True)

    journal = Journal(crew.folder / "metrics.jsonl", done)
    together = Together(batches)
    ahead = Ahead(together, training["workers"], updates)
    meter = Meter(journal, updates, Finite(together, crew.folder, journal), lambda: ahead.waited)
    judge = make_judge(model, given, layout)
    keep = KeepBest(judge, journal, meter, checkpoints, best, progress["ranks"])
    hooks: list[Hook] = [meter, every(-(-updates // training["validations"]), keep)]
    one_step = setup.step_of(config, model, optimizer, updates)
    step = jax.jit(spread(one_step, layout), donate_argnums=0)
    with interrupt.saving(keep.save) as saving:
        train(step, states, ahead, updates, [*hooks, saving])
    return keep.best


class KeepBest:
    """Judges all replicas, keeps the best parameters of each, and saves all that going on needs."""

    def __init__(
        self,
        judge: Callable[[Params], dict[str, np.ndarray]],
        journal: Journal,
        meter: Meter,
        checkpoints: Checkpoints,
        best: Params,
        ranks: Any,
    ) -> None:
        self.judge, self.journal, self.meter, self.checkpoints = judge, journal, meter, checkpoints
        self.best, self.ranks = best, np.asarray(ranks)

    def __call__(self, update: Update) -> None:
        """Judges, keeps, saves."""
        self.meter.flush(update)
        with self.meter.pause():
            found = self.judge(update.state.params)
            told = {name: values.tolist() for name, values in found.items()}
            self.journal.write(kind="validation", update=update.number, **told)
            ranks = np.stack([found["bleu"], -found["perplexity"]], 1)
            better = np.array([tuple(a) > tuple(b) for a, b in zip(ranks, self.ranks, strict=True)])
            self.best = where(jnp.asarray(better), update.state.params, self.best)
            self.ranks = np.where(better[:, None], ranks, self.ranks)
            means = ", ".join(f"{name} {values.mean():.2f}" for name, values in found.items())
            self.meter.say(f"validation at update {update.number:,}: {means} (means of replicas)")
        self.save(update)

    def save(self, update: Update) -> None:
        """Saves what going on needs, judged or not."""
        self.meter.flush(update)
        with self.meter.pause():
            progress = {
                "states": update.state,
                "best": self.best,
                "ranks": jnp.asarray(self.ranks),
            }
            self.checkpoints.save(LATEST, update.number, progress)


def make_judge(
    model: Model, given: validation.Judged, layout: Layout
) -> Callable[[Params], dict[str, np.ndarray]]:
    """params [S, ..] -> {"bleu": [S], "perplexity": [S]}, as `validation.make_judge` does for one."""
    decode = partial(runs.decode_together, model, given.greedy, layout)
    nats = jax.jit(spread(partial(validation.nats, model), layout))

    def judge(params):
        count = len(jax.tree.leaves(params)[0])
        for_all = partial(runs.for_all, limits=given.limits)
        found = for_all(partial(decode, params), count, list(given.sources.values()))
        said = [given.texts(one.tokens[number, 0] for one in found) for number in range(count)]
        scores = [bleu(texts, given.references, given.tokenize).score for texts in said]
        lost = for_all(partial(nats, params), count, *given.pairs)
        tokens = sum(map(len, given.pairs[1]))
        return {"bleu": np.array(scores), "perplexity": np.exp(np.sum(lost, axis=0) / tokens)}

    return judge
