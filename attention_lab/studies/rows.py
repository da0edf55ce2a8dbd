"""A replica's row of results: its scores, and all from which a report is made, as plain JSON.

{"version", "arm", "seed", "data": {split: the digest of its examples}, "parameters",
 "scores": {metric: {"score", "signature"}}, "alignment", ..: the results of `runs.evaluation.evaluate`,
 "refused": sentences of all splits that the model could not read, and which count as empty,
 "statistics": {split: {metric: [N, P], .., "source_words": [N], "frequency": [N, 5, 2], ..}},
 "hypotheses", "references": [N], "curve": [{"tokens", metric: score, ..}], "flops", "memory",
 "skipped": updates that were not finite, "frozen": whether a run of this replica alone would have ended by them,
 "entropy", "agreement": {"seeds": [n], "heads": [n]}, by sentence,
 "example": {"source", "target", "weights", "links"}}
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from attention_lab import runs
from attention_lab.data.words import divided, words_in, words_of
from attention_lab.decoding import COARSE
from attention_lab.evaluation import diagnostics
from attention_lab.evaluation.alignment import word_weights
from attention_lab.evaluation.records import Record
from attention_lab.runs import evaluation, setup
from attention_lab.studies.study import ReplicaGroup
from attention_lab.tasks import task_of
from attention_lab.training.hooks import ranks_of, read
from attention_lab.training.nonfinite import PATIENCE
from attention_lab.training.replicas import Layout

Row = dict[str, Any]
VERSION = 3  # to be raised where a field means something else
SEEN = 200  # test sentences whose attention is looked at
EXAMPLE = (6, 10)  # words of the source of the sentence that is shown, if there is such a one


def counts_of(config: Any) -> Counter[str]:
    """How often each target word stands in the training data, in words as the test set counts them."""
    train, test = (setup.split_of(config, split) for split in ("train", config["data"]["test"]))
    known = set(given_words([*train, *test]))
    return Counter(
        word
        for example in train
        for word in given_words([example]) or divided(example["target"], known)
    )


def given_words(examples: Iterable[Mapping[str, Any]]) -> list[str]:
    """The target words of all examples that come with words of their own, beside their text."""
    return [
        word
        for example in examples
        if example.get("target_words")
        for word in words_in(example, "target")
    ]


def rows_of(group: ReplicaGroup, layout: Layout, seen: Mapping[str, int]) -> list[Row]:
    """What the replicas, whose runs stand in their folders, make of the test set and of other splits.

    seen: `counts_of` their corpus.
    """
    replicas = group.replicas
    folders = [group.replica_folder(replica) for replica in replicas]
    all_ = list(map(runs.load, folders))
    test = replicas[0].config["data"]["test"]
    # Wide steps: what is compiled here serves the seeds of one arm only.
    evaluations = {
        split: evaluation.evaluate_each(all_, split, evaluation.bar, COARSE, layout)
        for split in dict.fromkeys((test, *group.also))
    }
    for each in evaluations.values():
        for one, folder in zip(each, folders, strict=True):
            one.save(folder)
    examples = evaluation.examples_of(all_[0], test)
    seen_records = [one.records[:SEEN] for one in evaluations[test]]
    if not all(seen_records):
        forced = runs.Runs.of(all_, layout).teacher_forced(examples[:SEEN])
        seen_records = [one.records for one in forced]
    records = [[record for record in each if "refused" not in record.info] for each in seen_records]
    rows = []
    for number, replica in enumerate(replicas):
        results = evaluations[test][number].results
        row = {
            "version": VERSION,
            "arm": replica.arm.name,
            "seed": replica.seed,
            **results,
            "refused": sum(each[number].results["refused"] for each in evaluations.values()),
            "data": dict(all_[number].data),
            "statistics": {
                split: statistics_of(
                    evaluation.examples_of(all_[number], split), each[number], seen
                )
                for split, each in evaluations.items()
            },
            "hypotheses": evaluations[test][number].texts,
            "references": [example["target"] for example in examples],
            **attention_of(records[number], results.get("alignment")),
        }
        rows.append({**row, "curve": curve_of(group, number), **skipped_of(group, number)})
    for arm in group.arms:
        members = [number for number, row in enumerate(rows) if row["arm"] == arm.name]
        for number, agreed in zip(members, agree([records[n] for n in members]), strict=False):
            rows[number]["agreement"]["seeds"] = agreed
    return rows


def statistics_of(
    examples: Sequence[Mapping[str, Any]], result: evaluation.Evaluation, seen: Mapping[str, int]
) -> dict[str, Any]:
    """What each example of an evaluated split adds to each score, and to the diagnostics of words."""
    parts = {name: plain(each) for name, each in result.statistics.items()}
    parts["source_words"] = [len(words_of(example["source"])) for example in examples]
    parts["frequency"] = []
    # A reference that comes with its words has l' homme where the text of a translation has l'homme.
    reference_words = given_words(examples)
    known = {*reference_words, *seen} if reference_words else set()
    linked = all("links" in example for example in examples)
    if linked:
        parts["jump"], parts["fertility"] = [], []
    for text, example in zip(result.texts, examples, strict=True):
        words = words_in(example, "target")
        right = diagnostics.hits(divided(text, known), words)

        def count(name, of, names, right=right):
            parts[name].append(diagnostics.counted(right, of, len(names)).tolist())

        count("frequency", diagnostics.frequencies(words, seen), diagnostics.FREQUENCY_NAMES)
        if linked:
            links = example["links"]
            count("jump", diagnostics.jumps(links, len(words)), diagnostics.JUMP_NAMES)
            fertility = diagnostics.fertilities(links, len(words))
            count("fertility", fertility, diagnostics.FERTILITY_NAMES)
    return parts


def plain(values: np.ndarray) -> list[Any]:
    """The array as lists: of integers where all of it is whole, so that it is short, else as it is."""
    whole = np.isfinite(values).all() and (values == np.round(values)).all()
    return (values.astype(int) if whole else values).tolist()


def attention_of(records: Sequence[Record], choice: Mapping[str, Any] | None) -> Row:
    """How attention spreads over the source, and one sentence as an example; nothing without attention."""
    layers = cross_layers(records)
    if not layers:  # or no sentence that the model can read
        return {}
    bits = np.concatenate(
        [diagnostics.entropy(r.weights[layer]).ravel() for r in records for layer in layers]
    )
    pairs = [
        [
            diagnostics.agreement(a, b).mean()
            for layer in layers
            for a, b in itertools.combinations(scaled(r.weights[layer]), 2)
        ]
        for r in records
    ]
    fitting = (r for r in records if EXAMPLE[0] <= len(r.source_words) <= EXAMPLE[1])
    shown = next(fitting, records[0])
    layer, head = (choice["layer"], choice["head"]) if choice else (layers[-1], None)
    matrix = word_weights(shown, layer, head)
    return {
        "entropy": float(np.nanmean(bits)),
        "agreement": {"heads": np.mean(pairs, axis=1).tolist()} if pairs[0] else {},
        "example": {
            "source": list(shown.source_words),
            "target": list(shown.target_words),
            "weights": np.round(matrix, 3).tolist(),
            "links": sorted(shown.links or ()),
        },
    }


def agree(records: Sequence[Sequence[Record]]) -> list[list[float]]:
    """For each seed's records of the same sentences, how far its attention agrees with that of the others: [R][n].

    Of the mean over layers and heads, in which seeds can be compared; one seed agrees with nobody: [].
    `statistics.of_pairs` knows that seeds share their pairs.
    """
    if len(records) < 2 or not cross_layers(records[0]):
        return []
    means = [
        [
            scaled(np.mean([r.weights[layer].mean(0) for layer in cross_layers(each)], axis=0))
            for r in each
        ]
        for each in records
    ]

    def alike(one, other):
        return [diagnostics.agreement(a, b).mean() for a, b in zip(one, other, strict=True)]

    return [
        np.mean([alike(one, other) for other in means if other is not one], axis=0).tolist()
        for one in means
    ]


def cross_layers(records: Sequence[Record]) -> list[str]:
    """Where the decoder looks at the source, by layer."""
    layers = [layer for r in records[:1] for layer in r.weights if layer.startswith("cross/")]
    return sorted(layers, key=lambda layer: int(layer.split("/")[1]))


def scaled(weights: Any) -> np.ndarray:
    """Weights [.., K] that sum to 1, or are all zero."""
    total = np.sum(weights, axis=-1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def curve_of(group: ReplicaGroup, number: int) -> list[Row]:
    """The validation scores of a replica while it was trained."""
    config = group.replicas[number].config
    better = {metric.name: metric.better for metric in task_of(config).ranking(config)}
    curve, tokens = [], 0
    for line in read(group.folder / "metrics.jsonl"):
        if line["kind"] == "train":
            tokens = of_replica(line["tokens"], number)
        elif line["kind"] == "validation":
            scores = {name: of_replica(line[name], number) for name in better}
            curve.append({"tokens": tokens, **scores})
            if 0 < config["training"]["patience"] <= _since_the_best(curve, better):
                break  # alone it would have stopped here
    return curve


def _since_the_best(curve, better):
    """How many validations ago the best one was."""
    ranks = [ranks_of(line, better)[0] for line in curve]
    return len(ranks) - 1 - ranks.index(max(ranks))


def skipped_of(group: ReplicaGroup, number: int) -> Row:
    """How many updates of a replica were skipped, and whether so many in a row that alone it would have ended."""
    lines = read(group.folder / "metrics.jsonl")
    skipped = [
        line["update"]
        for line in lines
        if line["kind"] == "skipped" and of_replica(line["skipped"], number)
    ]
    in_a_row = Counter(update - index for index, update in enumerate(skipped))
    return {"skipped": len(skipped), "frozen": max(in_a_row.values(), default=0) >= PATIENCE}


def of_replica(numbers: Any, number: int) -> Any:
    """A replica's number, of a list of all or, of one replica, the number."""
    return numbers[number] if isinstance(numbers, list) else numbers
