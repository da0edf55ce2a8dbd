"""Evaluation of trained runs: translates a split, computes its scores and their sufficient statistics, and saves them."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from attention_lab import files
from attention_lab.data import sources
from attention_lab.decoding import FINE
from attention_lab.evaluation import regions
from attention_lab.evaluation.alignment import Choice, alignment_error, best_layer
from attention_lab.evaluation.metrics import Outcome
from attention_lab.evaluation.pointing import Pointer, best_pointer
from attention_lab.evaluation.records import Record
from attention_lab.evaluation.records import save as save_records
from attention_lab.runs.origin import compare
from attention_lab.runs.outputs import Translation, every_layer, is_cross
from attention_lab.runs.run import Run, Runs, TeacherForced
from attention_lab.runs.setup import split_of
from attention_lab.tasks import task_of
from attention_lab.training.replicas import Layout

RECORDED = 2**31  # bytes of weights, above which records have cross-attention only
ALIGNED = 500  # validation examples on which the layer, head and rule of alignment are chosen

# By the gold of examples, the layer and head that point to it best: (records, examples) -> Pointer.
POINTED: Mapping[str, Callable[[list[Record], list[Any]], Pointer]] = MappingProxyType(
    {"regions": lambda records, examples: regions.best_pointer(records), "supporting": best_pointer}
)

# progress(total, description): a context manager; its value is called with the number of newly finished examples.
Progress = Callable[[int, str], AbstractContextManager[Callable[[int], Any]]]


@contextmanager
def bar(total: int, description: str) -> Iterator[Callable[[int], Any]]:
    """Shows a progress bar on a terminal, and nothing elsewhere."""
    with tqdm(
        total=total, desc=description, disable=not sys.stderr.isatty(), leave=False, unit=""
    ) as progress_bar:
        yield progress_bar.update


class Evaluation(NamedTuple):
    """The evaluation of a split: its scores and the sufficient statistics of each example.

    results: JSON data, with results["scores"][metric] = {"score", "signature"}. texts: the hypotheses. statistics:
    the sufficient statistics [N, P] by metric. records: the attention weights under teacher forcing; empty if there
    are no gold alignments.
    """

    results: dict[str, Any]
    texts: list[str]
    statistics: dict[str, np.ndarray]
    records: list[Record]

    @property
    def choice(self) -> dict[str, Any] | None:
        """The layer and head that point best to supporting sentences or, without them, that align best, if known."""
        return _choice(self.results)

    def save(self, workdir: Path) -> None:
        """Writes SPLIT.json, SPLIT.txt, SPLIT_statistics.npz and SPLIT_records.* to `workdir`/evaluation.

        Raises OSError or ValueError if they cannot be written.
        """
        folder, split = workdir / "evaluation", self.results["split"]
        folder.mkdir(parents=True, exist_ok=True)
        if self.records:
            save_records(self.records, folder / f"{split}_records")
        np.savez_compressed(folder / f"{split}_statistics.npz", **self.statistics)  # type: ignore[arg-type]
        text = "".join(f"{text}\n" for text in self.texts)
        files.replace(folder / f"{split}.txt", text)
        files.replace(folder / f"{split}.json", json.dumps(self.results, indent=2) + "\n")


def evaluate(
    run: Run, split: str, progress: Progress, step: int = FINE, **search: Any
) -> Evaluation:
    """Translates and scores a split; writes nothing.

    step: as in `decoding.in_batches`. search: fields of `Search`, by default those of the config.
    """
    return evaluate_each([run], split, progress, step, **search)[0]


def evaluate_each(
    runs: Sequence[Run],
    split: str,
    progress: Progress,
    step: int = FINE,
    layout: Layout = Layout(),
    **search: Any,
) -> list[Evaluation]:
    """Evaluates runs that differ only in parameters, stacked on the replica axis, as `evaluate` does for one.

    layout: the distribution of replicas over devices. Each run reports an equal part of the time.
    """
    first, stacked = runs[0], Runs.of(runs, layout)
    task = task_of(first.config)
    data = {split: sources.digest_of(examples_of(first, split))}
    examples = evaluated_examples(first, split)
    started = time.perf_counter()
    translations: list[list[Translation]] = [[]] * len(runs)
    if any("hypotheses" in metric.needs for metric in task.metrics(first.config)):
        with progress(len(examples), f"translating {split}") as advance:
            sentences = [example["source"] for example in examples]
            translations = stacked.translate(sentences, step=step, progress=advance, **search)
    seconds = (time.perf_counter() - started) / len(runs)
    aligned = alignment_examples(first, examples)
    large = bool(aligned) and stacked.record_bytes([*aligned, *examples]) > RECORDED
    layers = is_cross if large else every_layer
    with progress(len(aligned) + len(examples), "teacher forcing") as advance:
        fitting = stacked.teacher_forced(aligned, layers=layers, progress=advance)
        options: Any = {"weights": bool(aligned), "layers": layers}
        forced = stacked.teacher_forced(examples, **options, progress=advance)
    return [
        score_translations(
            run,
            data,
            examples,
            outputs,
            targets,
            chosen_on,
            pointer=_pointer(aligned, chosen_on.records),
            seconds=seconds,
            search=search,
        )
        for run, outputs, targets, chosen_on in zip(
            runs, translations, forced, fitting, strict=True
        )
    ]


def examples_of(run: Run, split: str) -> list[dict[str, Any]]:
    """Returns the examples of a split of the run's dataset.

    Raises ValueError if the split had other examples when the run was trained.
    """
    examples = split_of(run.config, split)
    current = {split: sources.digest_of(examples)}
    compare(run.data, current, "those with which the run was trained")
    return examples


def evaluated_examples(run: Run, split: str) -> list[dict[str, Any]]:
    """Returns the examples of a split that are evaluated, which may be parts of its examples. Raises as `examples_of`."""
    return task_of(run.config).evaluated(run.config, run.codec, examples_of(run, split))


def saved_choice(workdir: Path, split: str) -> dict[str, Any] | None:
    """Returns the `choice` of the evaluation of a split that is saved in a run's folder, or None if there is none."""
    try:
        return _choice(json.loads(_scores(workdir, split).read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError):  # no scores, or another program's file
        return None


def _choice(results):
    return results.get("pointer") or results.get("alignment")


def _scores(workdir, split):
    return workdir / "evaluation" / f"{split}.json"


def check_earlier_scores(workdir: Path, split: str, examples: Sequence[dict[str, Any]]) -> None:
    """Raises ValueError if the folder contains scores of other examples under the name of this split."""
    path = _scores(workdir, split)
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["data"]
    except (OSError, ValueError):  # no scores, or their writer was killed
        return
    except (KeyError, TypeError):
        known = {split: "unknown"}
    alternative = f"move {path} away, which contains the earlier scores"
    compare(known, {split: sources.digest_of(examples)}, "those evaluated before", alternative)


def alignment_examples(run: Run, examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the validation examples on which the layer and head of attention that is compared to gold are chosen.

    Returns [] if the given examples have no gold that a metric reads: no links (or no alignment error: see `unaligned`),
    no regions and no supporting sentences.
    """
    gold = next((name for name in POINTED if any(name in example for example in examples)), None)
    aligned = gold != "regions" and all("links" in example for example in examples)
    if aligned and not unaligned(run, examples):
        return _linked(run)
    read = any(
        metric.name.endswith("pointing") for metric in task_of(run.config).metrics(run.config)
    )
    if gold is not None and read and attends_to_source(run):
        validation = examples_of(run, "validation")
        return [example for example in validation if gold in example][:ALIGNED]
    return []


def attends_to_source(run: Run) -> bool:
    """Returns whether the model has cross-attention."""
    return any(layer.startswith("cross/") for layer in run.attention_layers())


def _pointer(examples: Sequence[Mapping[str, Any]], records: Sequence[Record]) -> Pointer | None:
    """Returns the layer and head that point best to regions or supporting sentences; None if the examples have neither."""
    for gold, best in POINTED.items():
        known = [pair for pair in zip(records, examples, strict=True) if gold in pair[1]]
        if known:
            return best(*map(list, zip(*known, strict=True)))
    return None


def unaligned(run: Run, examples: Sequence[Mapping[str, Any]]) -> str | None:
    """Returns the reason for which examples with gold links have no alignment error, or None if they have one."""
    if not attends_to_source(run):
        return "the model does not attend to the source"
    if not any(len(example["links"]) for example in examples):
        return "no word of the split is linked"
    if not any(len(example["links"]) for example in _linked(run)):
        return "no validation example has links, on which the layer, head and rule are chosen"
    return None


def _linked(run: Run) -> list[dict[str, Any]]:
    """Returns the first ALIGNED validation examples that have gold links."""
    examples = examples_of(run, "validation")
    return [example for example in examples if "links" in example][:ALIGNED]


def score_translations(
    run: Run,
    data: Mapping[str, str],
    examples: Sequence[dict[str, Any]],
    translations: Sequence[Translation],
    forced: TeacherForced,
    fitting: TeacherForced,
    *,
    pointer: Pointer | None = None,
    seconds: float,
    search: Mapping[str, Any] = MappingProxyType({}),
) -> Evaluation:
    """Scores the translations of a split with every metric of the task.

    data: the name of the split, and the digest of its examples. forced: the examples under teacher forcing. fitting: the
    `alignment_examples`, likewise, on whose records the layer, head and rule of alignment are chosen. pointer: the layer
    and head that point to gold. seconds: spent on translation. search: fields of `Search` that differ from the config's.
    """
    texts = [t.text for t in translations]
    # The links of regions are with parts of the source, and not with words.
    linked = [r for r in fitting.records if r.links is not None and not r.boxes]
    choice = best_layer(linked) if linked else None
    outcome = Outcome(examples, texts, forced.losses, forced.records, choice, pointer)
    statistics, scores = {}, {}
    for metric in task_of(run.config).metrics(run.config):
        counts = metric.statistics(outcome)
        if counts is not None:
            statistics[metric.name] = counts
            signature = {"signature": metric.signature} if metric.signature else {}
            scores[metric.name] = {"score": metric.score(counts), **signature}
    results = {
        "split": next(iter(data)),
        "data": dict(data),
        "sentences": len(examples),
        "scores": scores,
        "cut_off": sum(not t.ended and t.refused is None for t in translations),
        "refused": sum(t.refused is not None for t in translations),  # scored as empty hypotheses
        "seconds": seconds,
        "search": {**run.config.get("decoding", {}), **search},
        "device": jax.devices()[0].device_kind,
        "matmul_precision": run.config["training"].get("matmul_precision"),
    }
    if all("links" in example and "regions" not in example for example in examples):
        results["alignment"] = None if choice is None else _alignment(choice, forced.records)
        if choice is None:
            results["unaligned"] = unaligned(run, examples)
    if pointer is not None:
        results["pointer"] = pointer._asdict()
    return Evaluation(results, texts, statistics, forced.records)


def _alignment(choice: Choice, records: Sequence[Record]) -> dict[str, Any]:
    """Returns the chosen layer, head and rule, precision and recall in percent, and the number of unreadable examples."""
    result = alignment_error(records, choice)
    return {
        "precision": 100 * result.precision,
        "recall": 100 * result.recall,
        "layer": choice.layer,
        "head": choice.head,
        "rule": str(choice.rule),
        "refused": sum("refused" in record.info for record in records),
    }
