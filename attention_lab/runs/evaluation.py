"""A split translated by a trained run, and scored: what is printed, kept, and compared in studies."""

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
from attention_lab.evaluation.alignment import Choice, alignment_error, best_layer
from attention_lab.evaluation.metrics import Outcome
from attention_lab.evaluation.records import Record
from attention_lab.evaluation.records import save as save_records
from attention_lab.runs.origin import compare
from attention_lab.runs.outputs import Translation
from attention_lab.runs.run import Run, Runs, TeacherForced
from attention_lab.runs.setup import split_of
from attention_lab.tasks import task_of
from attention_lab.training.replicas import Layout

ALIGNED = 500  # validation examples on which the layer and rule of alignment are chosen

# progress(total, what): a context manager whose value is called with the number of examples that are finished.
Progress = Callable[[int, str], AbstractContextManager[Callable[[int], Any]]]


@contextmanager
def bar(total: int, what: str) -> Iterator[Callable[[int], Any]]:
    """A progress bar on a terminal, nothing elsewhere."""
    with tqdm(
        total=total, desc=what, disable=not sys.stderr.isatty(), leave=False, unit=""
    ) as shown:
        yield shown.update


class Evaluation(NamedTuple):
    """A split evaluated: scores, and what each example adds to them.

    results: plain JSON, with results["scores"][metric] = {"score", "signature"}. texts: the hypotheses. statistics: by
    metric, the sufficient statistics [N, P]. records: where the model attends under teacher forcing; none where the
    gold alignments are not known.
    """

    results: dict[str, Any]
    texts: list[str]
    statistics: dict[str, np.ndarray]
    records: list[Record]

    def save(self, workdir: Path) -> None:
        """Writes SPLIT.json, SPLIT.txt, SPLIT_statistics.npz and SPLIT_records.* into `workdir`/evaluation.

        Raises OSError or ValueError where that cannot be.
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
    """Translates a split and scores it; nothing is written. search: fields of `Search`, by default the config's."""
    return evaluate_each([run], split, progress, step, **search)[0]


def evaluate_each(
    runs: Sequence[Run],
    split: str,
    progress: Progress,
    step: int = FINE,
    layout: Layout = Layout(),
    **search: Any,
) -> list[Evaluation]:
    """`evaluate` of runs that differ in parameters alone, side by side; all share the seconds equally."""
    first, together = runs[0], Runs.of(runs, layout)
    examples = examples_of(first, split)
    started = time.perf_counter()
    with progress(len(examples), f"translating {split}") as advance:
        sentences = [example["source"] for example in examples]
        translations = together.translate(sentences, step=step, progress=advance, **search)
    seconds = (time.perf_counter() - started) / len(runs)
    aligned = alignment_examples(first, examples)
    with progress(len(aligned) + len(examples), "teacher forcing") as advance:
        fitting = together.teacher_forced(aligned, progress=advance)
        forced = together.teacher_forced(examples, weights=bool(aligned), progress=advance)
    return [
        scored(run, split, examples, texts, targets, chosen_on, seconds=seconds, search=search)
        for run, texts, targets, chosen_on in zip(runs, translations, forced, fitting, strict=True)
    ]


def examples_of(run: Run, split: str) -> list[dict[str, Any]]:
    """A split on which a run is evaluated. Raises ValueError where the run was trained on other examples under its name."""
    examples = split_of(run.config, split)
    now = {split: sources.digest_of(examples)}
    compare(run.data, now, "those with which the run was trained")
    return examples


def check_earlier_scores(workdir: Path, split: str, examples: Sequence[dict[str, Any]]) -> None:
    """Raises ValueError where a folder has scores of other examples than these under the name of their split."""
    path = workdir / "evaluation" / f"{split}.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["data"]
    except (OSError, ValueError):  # none, or whoever wrote it was killed
        return
    except (KeyError, TypeError):
        known = {split: "unknown"}
    way_out = f"move {path} away, which has the scores of those"
    compare(known, {split: sources.digest_of(examples)}, "those evaluated before", way_out)


def alignment_examples(run: Run, examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The validation examples on which it is chosen how alignments are read.

    None where the given examples have no links, or their alignments cannot be compared: see `unaligned`.
    """
    linked = all("links" in example for example in examples)
    return _linked(run) if linked and not unaligned(run, examples) else []


def unaligned(run: Run, examples: Sequence[Mapping[str, Any]]) -> str | None:
    """Why linked examples have no alignment error; None where they have one."""
    if not any(layer.startswith("cross/") for layer in run.attention_layers()):
        return "the model does not attend to the source"
    if not any(len(example["links"]) for example in examples):
        return "no word of the split is linked"
    if not any(len(example["links"]) for example in _linked(run)):
        return "no validation example has links, by which to choose where and how to read them"
    return None


def _linked(run: Run) -> list[dict[str, Any]]:
    """The first validation examples that have links."""
    examples = examples_of(run, "validation")
    return [example for example in examples if "links" in example][:ALIGNED]


def scored(
    run: Run,
    split: str,
    examples: Sequence[dict[str, Any]],
    translations: Sequence[Translation],
    forced: TeacherForced,
    fitting: TeacherForced,
    *,
    seconds: float,
    search: Mapping[str, Any] = MappingProxyType({}),
) -> Evaluation:
    """Scores translations of a split by every metric of the task.

    fitting: of the `alignment_examples`; which layer and head align, and by what rule, is chosen on their records.
    """
    texts = [t.text for t in translations]
    choice = best_layer(fitting.records) if fitting.records else None
    outcome = Outcome(examples, texts, forced.losses, forced.records, choice)
    statistics, scores = {}, {}
    for metric in task_of(run.config).metrics(run.config):
        counted = metric.statistics(outcome)
        if counted is not None:
            statistics[metric.name] = counted
            signature = {"signature": metric.signature} if metric.signature else {}
            scores[metric.name] = {"score": metric.score(counted), **signature}
    results = {
        "split": split,
        "data": {split: sources.digest_of(examples)},
        "sentences": len(examples),
        "scores": scores,
        "cut_off": sum(not t.ended and t.refused is None for t in translations),
        "refused": sum(t.refused is not None for t in translations),  # empty for all scores
        "seconds": seconds,
        "search": {**run.config["decoding"], **search},
        "device": jax.devices()[0].device_kind,
        "matmul_precision": run.config["training"].get("matmul_precision"),
    }
    if all("links" in example for example in examples):
        results["alignment"] = None if choice is None else _alignment(choice, forced.records)
        if choice is None:
            results["unaligned"] = unaligned(run, examples)
    return Evaluation(results, texts, statistics, forced.records)


def _alignment(choice: Choice, records: Sequence[Record]) -> dict[str, Any]:
    """How alignments are read, and precision and recall in percent; refused: the records without weights."""
    result = alignment_error(records, choice)
    return {
        "precision": 100 * result.precision,
        "recall": 100 * result.recall,
        "layer": choice.layer,
        "head": choice.head,
        "rule": str(choice.rule),
        "refused": sum("refused" in record.info for record in records),
    }
