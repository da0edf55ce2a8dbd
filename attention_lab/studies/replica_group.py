"""Trains and evaluates a group of replicas, with the trainer of a single run.

The group's folder contains origin.json and the tokenizers, metrics.jsonl (with a number per replica),
checkpoints/latest, from which an interrupted group is resumed, a folder per replica, which is a run like any other,
and results.jsonl. That file is written last: if it exists, the group is finished.
"""

import json
import shutil

from attention_lab import files, runs
from attention_lab.runs import setup
from attention_lab.runs.fitting import Group, fit
from attention_lab.runs.validation import validation_of
from attention_lab.studies.rows import Row, counts_of, rows_of
from attention_lab.studies.sizes import size_of
from attention_lab.studies.study import ReplicaGroup
from attention_lab.tasks import task_of
from attention_lab.training.checkpoint import BEST, Checkpoints
from attention_lab.training.interrupt import Interrupt
from attention_lab.training.replicas import Layout, take


def run(group: ReplicaGroup, layout: Layout, interrupt: Interrupt) -> list[Row]:
    """Trains and evaluates all replicas, resuming an earlier session. Returns the rows of the results."""
    config = dict(group.arms[0].config)
    corpus = setup.corpus_of(config, group.folder)
    model = runs.model_of(config, corpus.codec)
    longest = max(map(group.replica_folder, group.replicas), key=lambda folder: len(str(folder)))
    Checkpoints(longest / "checkpoints").check_round_trip()
    validation = validation_of(config, corpus, model)
    data = setup.data_of(config, group.also) | corpus.data
    runs.begin(group.folder, corpus.codec, data)
    configs = tuple(replica.config for replica in group.replicas)
    best = fit(Group(configs, group.folder, layout), corpus, model, validation, interrupt)
    interrupt.check()
    data_now = setup.data_of(config, group.also)  # the files may have changed during training
    runs.compare(data, data_now, "those on which the training started")
    for number, replica in enumerate(group.replicas):
        folder = group.replica_folder(replica)
        shutil.rmtree(
            folder, ignore_errors=True
        )  # an interrupted session may have left it incomplete
        runs.write(folder, replica.config, corpus.codec, data)
        runs.record_session(folder)
        Checkpoints(folder / "checkpoints").save(BEST, 1, take(best, number))
    size = size_of(group, layout)
    cost = {
        "parameters": size.parameters,
        "flops": size.flops // len(group.replicas),
        "memory": size.memory,
    }
    rows = [{**row, **cost} for row in rows_of(group, layout, counts_of(config))]
    metric = task_of(config).metrics(config)[0]
    for row in rows:
        score = row["scores"][metric.name]["score"]
        print(f"{row['arm']}, seed {row['seed']}: {metric.title} {score:.2f}", flush=True)
    interrupt.check_guards()  # another process may have taken over the folder
    files.replace(group.results, "".join(json.dumps(row) + "\n" for row in rows))
    return rows
