"""What commands print and draw: the plan of a run, its scores, and where a translation looked."""

from pathlib import Path
from typing import Any

from attention_lab.data.pipeline import Batches
from attention_lab.runs.outputs import Translation
from attention_lab.runs.run import Run
from attention_lab.runs.setup import Corpus
from attention_lab.runs.validation import Validation
from attention_lab.tasks import task_of


def plan(
    name: str,
    parameters: int,
    corpus: Corpus,
    batches: Batches,
    updates: int,
    start: int,
    validation: Validation,
) -> str:
    """What is about to be trained, on what, for how long."""
    left_out = [f"{count:,} with {why}" for why, count in corpus.pairs.left_out.items() if count]
    lines = [
        f"model    {name}, {parameters:,} parameters",
        f"corpus   {len(corpus.pairs):,} training pairs"
        + (f" (left out: {', '.join(left_out)})" if left_out else "")
        + f", {len(corpus.codec.source):,} and {len(corpus.codec.target):,} pieces",
        f"batches  {len(batches.buckets)} lengths, {batches.padding:.0%} padding; {updates:,} updates, "
        f"{updates / batches.per_epoch:.1f} epochs",
    ]
    if validation.unread:
        lines.append(
            f"validate {len(validation.examples):,} validation pairs; the model cannot read {validation.unread:,} of them, "
            f"which perplexity leaves out, nor the sources of {validation.empty:,}, whose translations are empty"
        )
    if start:
        lines.append(f"goes on  after update {start:,}")
    return "\n".join(lines)


def scores(run: Run, results: dict[str, Any]) -> str:
    """The results of `evaluation.evaluate`, a line each."""
    titles = {metric.name: metric.title for metric in task_of(run.config).metrics(run.config)}
    lines = [
        f"\n{results['split']}: {results['sentences']:,} sentences in {results['seconds']:.1f} s",
        *(
            f"{titles[name]:<10}  {one['score']:.2f}  {one.get('signature', '')}".rstrip()
            for name, one in results["scores"].items()
        ),
    ]
    alignment = results.get("alignment")
    if alignment:
        head = "" if alignment["head"] is None else f", head {alignment['head']}"
        lines.append(
            f"alignments: precision {alignment['precision']:.1f}, recall {alignment['recall']:.1f} %, read from "
            f"{alignment['layer']}{head}, {alignment['rule']}"
        )
    elif results.get("unaligned"):
        lines.append(f"no alignment error: {results['unaligned']}")
    if results["refused"]:
        lines.append(f"without a translation, and empty for all scores: {results['refused']:,}")
    if alignment and alignment["refused"]:
        lines.append(
            f"too long for the model with their references, and without links: {alignment['refused']:,}"
        )
    if results["cut_off"]:
        lines.append(f"cut off by the length limit: {results['cut_off']:,}")
    return "\n".join(lines)


def translation(
    run: Run,
    sentence: str,
    result: Translation,
    *,
    matrix: bool = True,
    picture: Path | None = None,
    choice: dict[str, Any] | None = None,
) -> None:
    """Prints a translation's attention as a matrix, and draws it. choice: which layer and head to show."""
    print(f"\n{sentence}\n{result.text}\n")
    layers = sorted(layer for layer in result.weights if layer.startswith("cross/"))
    if not layers or not result.text.strip():
        print(f"(no translation: {result.refused})" if result.refused else "(no attention to show)")
        return
    record = run.record(sentence, result)
    layer, head = (choice["layer"], choice["head"]) if choice else (layers[-1], None)
    printed, figure = task_of(run.config).show(record, layer, head)
    if matrix:
        print(printed)
    if picture is not None:
        # With it comes matplotlib, for which only what draws has to wait.
        from attention_lab.views import heatmap

        heatmap.save(figure, picture)
        print(f"\npicture  {picture}")
