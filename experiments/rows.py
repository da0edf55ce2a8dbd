"""A replica's row of results: its scores, and all from which a report is made, as plain JSON.

{"arm", "seed", "parameters", "bleu", "chrf", "signatures", "alignment", ..: as experiments.evaluate says,
 "parts": {split: {"source_words": [N], "bleu": [N, 10], "aer": [N, 4], "frequency": [N, 5, 2], ..}},
 "translations", "references": [N], "curve": [{"tokens", "bleu", "perplexity"}], "flops", "memory",
 "entropy", "agreement": {"seeds", "heads"}, "example": {"source", "target", "weights", "links"}}
"""

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attention_lab import runs
from attention_lab.decoding import COARSE
from attention_lab.evaluation import diagnostics
from attention_lab.evaluation.alignment import word_weights
from attention_lab.evaluation.records import Record
from attention_lab.training.replicas import Layout
from experiments import translation
from experiments.study import Crew

Row = dict[str, Any]
SEEN = 200  # test sentences whose attention is looked at
EXAMPLE = (6, 10)  # words of the source of the sentence that is shown, if there is such a one


def counts_of(config: Any) -> Counter[str]:
    """How often each target word stands in the training data."""
    texts = (example["target"] for example in translation.split_of(config, "train"))
    return Counter(word for text in texts for word in text.split())


def rows_of(crew: Crew, layout: Layout, seen: Mapping[str, int]) -> list[Row]:
    """What the replicas, whose runs stand in their folders, make of the test set and of other splits.

    seen: `counts_of` their corpus.
    """
    replicas = crew.replicas
    folders = [crew.replica_folder(replica) for replica in replicas]
    all_ = runs.Runs(tuple(map(runs.load, folders)), layout)
    test = replicas[0].config["data"]["test"]
    # Wide steps: what is compiled here serves the seeds of one arm only.
    found = {
        split: translation.evaluate_together(all_, split, translation.bar, step=COARSE)
        for split in dict.fromkeys((test, *crew.also))
    }
    for each in found.values():
        for one, folder in zip(each, folders, strict=True):
            one.save(folder)
    examples = translation.split_of(replicas[0].config, test)
    records = [one.records[:SEEN] for one in found[test]]
    if not all(records):
        records = all_.forced_records(examples[:SEEN])
    rows = []
    for number, (replica, folder) in enumerate(zip(replicas, folders, strict=True)):
        results = found[test][number].results
        row = {
            "arm": replica.arm.name,
            "seed": replica.seed,
            **results,
            "parts": {split: parts_of(all_.each[number], split, folder, seen) for split in found},
            "translations": (folder / "evaluation" / f"{test}.txt")
            .read_text(encoding="utf-8")
            .split("\n")[:-1],
            "references": [example["target"] for example in examples],
            **attention_of(records[number], results.get("alignment")),
        }
        rows.append({**row, "curve": curve_of(crew, number)})
    for arm in crew.arms:
        mine = [number for number, row in enumerate(rows) if row["arm"] == arm.name]
        for number, agreed in zip(mine, agree([records[n] for n in mine]), strict=False):
            rows[number]["agreement"]["seeds"] = agreed
    return rows


def parts_of(run: runs.Run, split: str, folder: Any, seen: Mapping[str, int]) -> dict[str, Any]:
    """What each sentence of an evaluated split contributes to each score."""
    with np.load(folder / "evaluation" / f"{split}_parts.npz") as file:
        parts = {name: file[name].astype(int).tolist() for name in file}
    translations = (folder / "evaluation" / f"{split}.txt").read_text(encoding="utf-8").split("\n")
    examples = translation.split_of(run.config, split)
    parts["source_words"] = [len(example["source"].split()) for example in examples]
    parts["frequency"] = []
    linked = all("links" in example for example in examples)
    if linked:
        parts["jump"], parts["fertility"] = [], []
    for text, example in zip(translations, examples, strict=False):
        words = example.get("target_words") or example["target"].split()
        right = diagnostics.hits(text.split(), words)

        def count(name, of, names, right=right):
            parts[name].append(diagnostics.counted(right, of, len(names)).tolist())

        count("frequency", diagnostics.frequencies(words, seen), diagnostics.FREQUENCY_NAMES)
        if linked:
            links = example["links"]
            count("jump", diagnostics.jumps(links, len(words)), diagnostics.JUMP_NAMES)
            fertility = diagnostics.fertilities(links, len(words))
            count("fertility", fertility, diagnostics.FERTILITY_NAMES)
    return parts


def attention_of(records: Sequence[Record], choice: Mapping[str, Any] | None) -> Row:
    """How attention spreads over the source, and one sentence as an example; nothing without attention."""
    places = cross_places(records)
    if not places:
        return {}
    bits = np.concatenate(
        [diagnostics.entropy(r.weights[place]).ravel() for r in records for place in places]
    )
    pairs = [
        diagnostics.agreement(a, b).mean()
        for r in records
        for place in places
        for a, b in itertools.combinations(scaled(r.weights[place]), 2)
    ]
    fitting = (r for r in records if EXAMPLE[0] <= len(r.source_words) <= EXAMPLE[1])
    shown = next(fitting, records[0])
    place, head = (choice["place"], choice["head"]) if choice else (places[-1], None)
    matrix = word_weights(shown, place, head)
    return {
        "entropy": float(np.nanmean(bits)),
        "agreement": {"heads": float(np.mean(pairs))} if pairs else {},
        "example": {
            "source": list(shown.source_words),
            "target": list(shown.target_words),
            "weights": np.round(matrix, 3).tolist(),
            "links": sorted(shown.links or ()),
        },
    }


def agree(records: Sequence[Sequence[Record]]) -> list[float]:
    """For each seed's records of the same sentences, how far its attention agrees with that of the others.

    Of the mean over layers and heads, in which seeds can be compared; one seed agrees with nobody: [].
    """
    if len(records) < 2 or not cross_places(records[0]):
        return []
    means = [
        [
            scaled(np.mean([r.weights[place].mean(0) for place in cross_places(each)], axis=0))
            for r in each
        ]
        for each in records
    ]

    def alike(one, other):
        sums = [diagnostics.agreement(a, b).mean() for a, b in zip(one, other, strict=True)]
        return float(np.mean(sums))

    return [
        float(np.mean([alike(one, other) for other in means if other is not one])) for one in means
    ]


def cross_places(records: Sequence[Record]) -> list[str]:
    """Where the decoder looks at the source, by layer."""
    found = [place for place in records[0].weights if place.startswith("cross/")]
    return sorted(found, key=lambda place: int(place.split("/")[1]))


def scaled(weights: Any) -> np.ndarray:
    """Weights [.., K] that sum to 1, or are all zero."""
    total = np.sum(weights, axis=-1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def curve_of(crew: Crew, number: int) -> list[Row]:
    """What validation said of a replica while it was trained."""
    lines = (crew.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    told = [line for line in map(json.loads, lines) if line["kind"] in ("train", "validation")]
    curve, tokens = [], 0
    for line in told:
        if line["kind"] == "train":
            tokens = line["tokens"][number]
        else:
            scores = {name: line[name][number] for name in ("bleu", "perplexity")}
            curve.append({"tokens": tokens, **scores})
    return curve
