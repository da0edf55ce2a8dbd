"""A crew trained and judged: the trainer of a single run, with more replicas.

Everything stands in the crew's folder: origin.json and the tokenizers, metrics.jsonl (a number per replica),
checkpoints/latest, from which a crew that was stopped goes on, then a folder per replica, which is a run like any
other, and in the end results.jsonl. That file is the last to be written: where it is, nothing is left to do.
"""

import json
import shutil

from attention_lab import files, runs
from attention_lab.runs import setup
from attention_lab.runs.fitting import Group, fit
from attention_lab.runs.validation import validation_of
from attention_lab.studies.rows import Row, counts_of, rows_of
from attention_lab.studies.sizes import size_of
from attention_lab.studies.study import Crew
from attention_lab.tasks import task_of
from attention_lab.training.checkpoint import BEST, Checkpoints
from attention_lab.training.interrupt import Interrupt
from attention_lab.training.replicas import Layout, take


def run(crew: Crew, layout: Layout, interrupt: Interrupt) -> list[Row]:
    """Trains and judges all replicas, going on where an earlier sitting stopped; the rows of its results."""
    config = dict(crew.arms[0].config)
    corpus = setup.corpus_of(config, crew.folder)
    model = runs.model_of(config, corpus.codec)
    longest = max(map(crew.replica_folder, crew.replicas), key=lambda folder: len(str(folder)))
    Checkpoints(longest / "checkpoints").rehearse()
    validation = validation_of(config, corpus, model)
    data = setup.data_of(config, crew.also) | corpus.data
    runs.begin(crew.folder, corpus.codec, data)
    configs = tuple(replica.config for replica in crew.replicas)
    best = fit(Group(configs, crew.folder, layout), corpus, model, validation, interrupt)
    interrupt.check()
    now = setup.data_of(config, crew.also)  # hours later
    runs.compare(data, now, "those on which the training started")
    for number, replica in enumerate(crew.replicas):
        folder = crew.replica_folder(replica)
        shutil.rmtree(folder, ignore_errors=True)  # what a stopped sitting left half done
        runs.write(folder, replica.config, corpus.codec, data)
        runs.sit(folder)
        Checkpoints(folder / "checkpoints").save(BEST, 1, take(best, number))
    size = size_of(crew, layout)
    cost = {
        "parameters": size.parameters,
        "flops": size.flops // len(crew.replicas),
        "memory": size.memory,
    }
    rows = [{**row, **cost} for row in rows_of(crew, layout, counts_of(config))]
    metric = task_of(config).metrics(config)[0]
    for row in rows:
        score = row["scores"][metric.name]["score"]
        print(f"{row['arm']}, seed {row['seed']}: {metric.title} {score:.2f}", flush=True)
    interrupt.ask_guards()  # the folder may be another process's by now
    files.replace(crew.results, "".join(json.dumps(row) + "\n" for row in rows))
    return rows
