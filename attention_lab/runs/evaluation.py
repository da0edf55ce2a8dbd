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
from attention_lab.evaluation.alignment import (
    alignment_error,
    best_place,
    link_counts,
    predicted_links,
)
from attention_lab.evaluation.quality import quality
from attention_lab.evaluation.records import Record
from attention_lab.evaluation.records import save as save_records
from attention_lab.evaluation.statistics import bleu_parts
from attention_lab.runs.origin import compare
from attention_lab.runs.run import Run, Translation
from attention_lab.runs.setup import split_of
from attention_lab.runs.together import Runs
from attention_lab.training.replicas import Layout

ALIGNED = 500  # validation examples on which the place and rule of alignment are chosen

# progress(total, what): within, a function that is told how much more is done.
Progress = Callable[[int, str], AbstractContextManager[Callable[[int], Any]]]


@contextmanager
def bar(total: int, what: str) -> Iterator[Callable[[int], Any]]:
    """A progress bar on a terminal, nothing elsewhere."""
    with tqdm(
        total=total, desc=what, disable=not sys.stderr.isatty(), leave=False, unit=""
    ) as shown:
        yield shown.update


class Evaluation(NamedTuple):
    """Translations of a split, judged: scores, and what each sentence has to do with them."""

    results: dict[str, Any]  # scores with their signatures
    texts: list[str]  # the translations
    parts: dict[
        str, np.ndarray
    ]  # what each sentence contributes to BLEU and alignment, for statistics
    records: list[
        Record
    ]  # where the model looked, told the references; none where that is not known

    def save(self, workdir: Path) -> None:
        """Writes SPLIT.json, SPLIT.txt, SPLIT_parts.npz and SPLIT_records.* into `workdir`/evaluation.

        Raises OSError or ValueError where that cannot be.
        """
        folder, split = workdir / "evaluation", self.results["split"]
        folder.mkdir(parents=True, exist_ok=True)
        if self.records:
            save_records(self.records, folder / f"{split}_records")
        np.savez_compressed(folder / f"{split}_parts.npz", **self.parts)  # type: ignore[arg-type]
        text = "".join(f"{text}\n" for text in self.texts)
        files.replace(folder / f"{split}.txt", text)
        told = json.dumps(self.results, indent=2) + "\n"
        files.replace(folder / f"{split}.json", told)


def evaluate(
    run: Run, split: str, progress: Progress, step: int = FINE, **search: Any
) -> Evaluation:
    """Translates a split and scores it; nothing is written. search: fields of `Search`, by default the config's."""
    return evaluate_each(Runs((run,), Layout()), split, progress, step, **search)[0]


def evaluate_each(
    all_: Runs, split: str, progress: Progress, step: int = FINE, **search: Any
) -> list[Evaluation]:
    """`evaluate` of each run, side by side; all share the seconds equally."""
    examples = examples_of(all_.each[0], split)
    told = looked_at(all_.each[0], examples)
    started = time.perf_counter()
    with progress(len(examples), f"translating {split}") as tell:
        found = all_.translate(sources_of(examples), step=step, progress=tell, **search)
    seconds = (time.perf_counter() - started) / len(all_.each)
    with progress(sum(map(len, told)), "aligning") as tell:
        records = [all_.forced_records(part, tell) for part in told]
    return [
        judged(run, split, examples, mine, [r[n] for r in records], seconds=seconds, search=search)
        for n, (run, mine) in enumerate(zip(all_.each, found, strict=True))
    ]


def examples_of(run: Run, split: str) -> list[dict[str, Any]]:
    """A split on which a run is judged. Raises ValueError where the run was trained on other examples under its name."""
    examples = split_of(run.config, split)
    now = {split: sources.digest_of(examples)}
    compare(run.data, now, "those with which the run was trained")
    return examples


def earlier(workdir: Path, split: str, examples: Sequence[dict[str, Any]]) -> None:
    """Raises ValueError where a folder has scores of other examples than these under the name of their split."""
    path = workdir / "evaluation" / f"{split}.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["data"]
    except (OSError, ValueError):  # none, or whoever wrote it was killed
        return
    except (KeyError, TypeError):
        known = {split: "unknown"}
    way_out = f"move {path} away, which has the scores of those"
    compare(known, {split: sources.digest_of(examples)}, "those judged before", way_out)


def sources_of(examples: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is to be translated."""
    return [example["source"] for example in examples]


def looked_at(run: Run, examples: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The validation examples on which an alignment is chosen, and the examples that it aligns.

    Nothing where there are no links, or they cannot be compared: see `unaligned`.
    """
    linked = all("links" in example for example in examples)
    return [] if not linked or unaligned(run, examples) else [_chosen_on(run), examples]


def unaligned(run: Run, examples: Sequence[Mapping[str, Any]]) -> str | None:
    """Why linked examples have no alignment error; None where they have one."""
    if not any(place.startswith("cross/") for place in run.places()):
        return "the model does not attend to the source"
    if not any(len(example["links"]) for example in examples):
        return "no word of the split is linked"
    if not any(len(example["links"]) for example in _chosen_on(run)):
        return "no validation example has links, by which to choose where and how to read them"
    return None


def _chosen_on(run: Run) -> list[dict[str, Any]]:
    """The first validation examples that have links."""
    examples = examples_of(run, "validation")
    return [example for example in examples if "links" in example][:ALIGNED]


def judged(
    run: Run,
    split: str,
    examples: Sequence[dict[str, Any]],
    found: Sequence[Translation],
    records: Sequence[list[Record]],
    *,
    seconds: float,
    search: Mapping[str, Any] = MappingProxyType({}),
) -> Evaluation:
    """Judges translations of a split.

    records: of what is `looked_at`; which layer and head align, and by what rule, is chosen on the first.
    """
    texts, references = [t.text for t in found], [example["target"] for example in examples]
    tokenize = run.config["data"]["bleu_tokenize"]
    results = {
        "split": split,
        "data": {split: sources.digest_of(examples)},
        "sentences": len(examples),
        **quality(texts, references, tokenize),
        "cut_off": sum(not t.ended and t.refused is None for t in found),
        "refused": sum(t.refused is not None for t in found),  # empty for all scores
        "seconds": seconds,
        "search": {**run.config["decoding"], **search},
        "device": jax.devices()[0].device_kind,
        "matmul_precision": run.config["training"].get("matmul_precision"),
    }
    parts: dict[str, Any] = {"bleu": bleu_parts(texts, references, tokenize)}
    looked: list[Record] = []
    if all("links" in example for example in examples):
        results["alignment"] = None
        if not records:
            results["unaligned"] = unaligned(run, examples)
    if records:
        chosen_on, looked = records
        results["alignment"], parts["aer"] = aligned(chosen_on, looked)
    return Evaluation(results, texts, parts, looked)


def aligned(
    chosen_on: Sequence[Record], records: Sequence[Record]
) -> tuple[dict[str, Any], np.ndarray]:
    """How well attention aligns words, in percent, and `link_counts`; its rule is the best of chosen_on."""
    choice = best_place(chosen_on)
    found = alignment_error(records, choice)
    told = {name: 100 * value for name, value in found._asdict().items()}
    rule = {"place": choice.place, "head": choice.head, "rule": str(choice.rule)}
    links = link_counts(predicted_links(records, choice), [r.links or () for r in records])
    refused = sum("refused" in record.info for record in records)  # which have no links
    return {**told, **rule, "refused": refused}, links
