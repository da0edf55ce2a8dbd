"""The row of results of a replica, as plain JSON: its scores, and everything that a report needs.

{"version", "arm", "seed", "data": {split: the digest of its examples}, "parameters",
 "scores": {metric: {"score", "signature"}}, "alignment", ..: the results of `runs.evaluation.evaluate`,
 "refused": the number of sentences of all splits that the model could not encode, which count as empty,
 "statistics": {split: {metric: [N, P], .., "source_words": [N], "frequency": [N, 5, 2], ..}},
 "hypotheses", "references": [N], "curve": [{"tokens", metric: score, ..}], "flops", "memory",
 "skipped": the number of nonfinite updates, "frozen": whether a single run would have ended because of them,
 "entropy", "agreement": {"seeds": [n], "heads": [n]} of each sentence,
 "example": {"source", "target", "weights", "links"; for answers also "sentence_of", "supporting"}}
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from attention_lab import runs
from attention_lab.data.words import divided, words_in, words_of
from attention_lab.decoding import COARSE
from attention_lab.evaluation import diagnostics, regions
from attention_lab.evaluation.alignment import word_weights
from attention_lab.evaluation.records import Record
from attention_lab.runs import evaluation, setup
from attention_lab.studies.study import ReplicaGroup
from attention_lab.tasks import target_text, task_of
from attention_lab.training.hooks import ranks_of, read
from attention_lab.training.nonfinite import PATIENCE
from attention_lab.training.replicas import Layout

Row = dict[str, Any]
VERSION = 3  # must be increased if the meaning of a field changes
ATTENTION_SENTENCES = 200  # the number of test sentences whose attention is analyzed
EXAMPLE_LENGTH = (
    6,
    10,
)  # the preferred number of words of the source that is shown, or of what is said of it


def counts_of(config: Any) -> Counter[str]:
    """Returns the number of occurrences of each target word in the training data, divided into words as in the test set."""
    train, test = (setup.split_of(config, split) for split in ("train", config["data"]["test"]))
    known = set(given_words([*train, *test]))
    return Counter(
        word
        for example in train
        for word in given_words([example]) or divided(target_text(example), known)
    )


def given_words(examples: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the target words of all examples that have word boundaries in addition to their text."""
    return [
        word
        for example in examples
        if example.get("target_words")
        for word in words_in(example, "target")
    ]


def rows_of(group: ReplicaGroup, layout: Layout, counts: Mapping[str, int]) -> list[Row]:
    """Evaluates the replicas, whose runs are in their folders, on the test set and on other splits. Returns their rows.

    counts: the `counts_of` their corpus.
    """
    replicas = group.replicas
    folders = [group.replica_folder(replica) for replica in replicas]
    loaded = list(map(runs.load, folders))
    test = replicas[0].config["data"]["test"]
    # Coarse steps of shapes, because the compiled programs serve only the seeds of this group.
    evaluations = {
        split: evaluation.evaluate_each(loaded, split, evaluation.bar, COARSE, layout)
        for split in dict.fromkeys((test, *group.also))
    }
    for by_replica in evaluations.values():
        for one, folder in zip(by_replica, folders, strict=True):
            one.save(folder)
    examples = {split: evaluation.evaluated_examples(loaded[0], split) for split in evaluations}
    test_records = [one.records[:ATTENTION_SENTENCES] for one in evaluations[test]]
    if not all(test_records):
        teacher_forced = runs.Runs.of(loaded, layout).teacher_forced(
            examples[test][:ATTENTION_SENTENCES]
        )
        test_records = [one.records for one in teacher_forced]
    readable = ["refused" not in record.info for record in test_records[0]]
    records = [list(itertools.compress(each, readable)) for each in test_records]
    shown = list(itertools.compress(examples[test], readable))
    rows = []
    for number, replica in enumerate(replicas):
        results = evaluations[test][number].results
        row = {
            "version": VERSION,
            "arm": replica.arm.name,
            "seed": replica.seed,
            **results,
            "refused": sum(each[number].results["refused"] for each in evaluations.values()),
            "data": dict(loaded[number].data),
            "statistics": {
                split: statistics_of(examples[split], each[number], counts)
                for split, each in evaluations.items()
            },
            "hypotheses": evaluations[test][number].texts,
            "references": [example["target"] for example in examples[test]],
            **attention_of(records[number], evaluations[test][number].choice, shown),
        }
        rows.append({**row, "curve": curve_of(group, number), **skipped_of(group, number)})
    for arm in group.arms:
        members = [number for number, row in enumerate(rows) if row["arm"] == arm.name]
        for number, agreed in zip(
            members, seed_agreement([records[n] for n in members]), strict=False
        ):
            rows[number]["agreement"]["seeds"] = agreed
    return rows


def statistics_of(
    examples: Sequence[Mapping[str, Any]], result: evaluation.Evaluation, counts: Mapping[str, int]
) -> dict[str, Any]:
    """Returns the sufficient statistics of each example of an evaluated split, for each score and diagnostic of words."""
    stats = {name: plain(values) for name, values in result.statistics.items()}
    if not result.texts:  # nothing is generated
        return stats
    # The length of a source that is not a text is that of what it says.
    said = [text if isinstance(text := one["source"], str) else one["target"] for one in examples]
    stats["source_words"] = [len(words_of(text)) for text in said]
    stats["frequency"] = []
    # A reference with word boundaries has l' and homme, but the text of a translation has l'homme.
    reference_words = given_words(examples)
    known = {*reference_words, *counts} if reference_words else set()
    # Links with regions of a picture have no order.
    linked = all("links" in example and "regions" not in example for example in examples)
    if linked:
        stats["jump"], stats["fertility"] = [], []
    for text, example in zip(result.texts, examples, strict=True):
        words = words_in(example, "target")
        right = diagnostics.hits(divided(text, known), words)

        def add(name, classes, names, right=right):
            stats[name].append(diagnostics.counted(right, classes, len(names)).tolist())

        add("frequency", diagnostics.frequencies(words, counts), diagnostics.FREQUENCY_NAMES)
        if linked:
            links = example["links"]
            add("jump", diagnostics.jumps(links, len(words)), diagnostics.JUMP_NAMES)
            fertility = diagnostics.fertilities(links, len(words))
            add("fertility", fertility, diagnostics.FERTILITY_NAMES)
    return stats


def plain(values: np.ndarray) -> list[Any]:
    """Returns the array as lists, which are lists of integers if all values are whole, to make the JSON shorter."""
    whole = np.isfinite(values).all() and (values == np.round(values)).all()
    return (values.astype(int) if whole else values).tolist()


def attention_of(
    records: Sequence[Record],
    choice: Mapping[str, Any] | None,
    examples: Sequence[Mapping[str, Any]] = (),
) -> Row:
    """Returns the entropy and the agreement of attention, and one sentence as an example; {} without attention.

    examples: those of the records; if their sentences are known, the example has the index of each word's sentence.
    """
    layers = cross_layers(records)
    if not layers:  # or no sentence that the model can encode
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
    lengths = [len(one.target_words if one.states else one.source_words) for one in records]
    fitting = (
        n for n, size in enumerate(lengths) if EXAMPLE_LENGTH[0] <= size <= EXAMPLE_LENGTH[1]
    )
    number = next(fitting, 0)
    shown = records[number]
    sentences = {
        name: list(examples[number][name])
        for name in ("sentence_of", "supporting")
        if examples and name in examples[number]
    }
    layer, head = (choice["layer"], choice["head"]) if choice else (layers[-1], None)
    return {
        "entropy": float(np.nanmean(bits)),
        "agreement": {"heads": np.mean(pairs, axis=1).tolist()} if pairs[0] else {},
        "example": {**_example(shown, layer, head), **sentences},
    }


def _example(record, layer, head):
    """The weights of each target word: on the words of the source, or on the states of one that is no text."""
    if record.states:
        return {
            "target": list(record.target_words),
            "weights": np.round(regions.word_maps(record, layer, head), 4).tolist(),
            "boxes": regions.boxes_of_words(record),
        }
    return {
        "source": list(record.source_words),
        "target": list(record.target_words),
        "weights": np.round(word_weights(record, layer, head), 3).tolist(),
        "links": sorted(record.links or ()),
    }


def seed_agreement(records: Sequence[Sequence[Record]]) -> list[list[float]]:
    """Returns the mean agreement of each seed's attention with that of the other seeds: [R][n], from [R][n] records.

    It compares the mean over layers and heads, because the order of heads differs between seeds; for one seed it is [].
    `statistics.of_pairs` accounts for the pairs that seeds share.
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

    def agreement(one, other):
        return [diagnostics.agreement(a, b).mean() for a, b in zip(one, other, strict=True)]

    return [
        np.mean([agreement(one, other) for other in means if other is not one], axis=0).tolist()
        for one in means
    ]


def cross_layers(records: Sequence[Record]) -> list[str]:
    """Returns the names of the cross-attention layers in order."""
    layers = [layer for r in records[:1] for layer in r.weights if layer.startswith("cross/")]
    return sorted(layers, key=lambda layer: int(layer.split("/")[1]))


def scaled(weights: Any) -> np.ndarray:
    """Returns the weights [.., K], scaled to a sum of 1; rows of zeros remain zero."""
    total = np.sum(weights, axis=-1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def curve_of(group: ReplicaGroup, number: int) -> list[Row]:
    """Returns the validation scores of a replica during training, until early stopping."""
    config = group.replicas[number].config
    better = {metric.name: metric.better for metric in task_of(config).ranking(config)}
    curve, tokens = [], 0
    for line in read(group.folder / "metrics.jsonl"):
        if line["kind"] == "train":
            tokens = of_replica(line["tokens"], number)
        elif line["kind"] == "validation":
            scores = {name: of_replica(line[name], number) for name in better}
            curve.append({"tokens": tokens, **scores})
            if 0 < config["training"]["patience"] <= _validations_since_best(curve, better):
                break  # a single run would have stopped here
    return curve


def _validations_since_best(curve, better):
    """Returns the number of validations after the best one."""
    ranks = [ranks_of(line, better)[0] for line in curve]
    return len(ranks) - 1 - ranks.index(max(ranks))


def skipped_of(group: ReplicaGroup, number: int) -> Row:
    """Returns the number of skipped updates of a replica, and whether a single run would have ended because of them."""
    lines = read(group.folder / "metrics.jsonl")
    skipped = [
        line["update"]
        for line in lines
        if line["kind"] == "skipped" and of_replica(line["skipped"], number)
    ]
    successive = Counter(update - index for index, update in enumerate(skipped))
    return {"skipped": len(skipped), "frozen": max(successive.values(), default=0) >= PATIENCE}


def of_replica(numbers: Any, number: int) -> Any:
    """Returns the number of one replica, from a list for all replicas or the number itself if there is one replica."""
    return numbers[number] if isinstance(numbers, list) else numbers
