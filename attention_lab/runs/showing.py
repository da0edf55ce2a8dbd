"""The output of commands: the plan of a run, its scores, and the attention weights of a translation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention_lab.data.pipeline import Batches
from attention_lab.runs.chat import Looked
from attention_lab.runs.outputs import Translation
from attention_lab.runs.run import Run
from attention_lab.runs.setup import Corpus
from attention_lab.runs.validation import Validation
from attention_lab.tasks import task_of
from attention_lab.views import text


def plan(
    name: str,
    parameters: int,
    corpus: Corpus,
    batches: Batches,
    updates: int,
    start: int,
    validation: Validation,
) -> str:
    """Returns a summary, printed before training, of the model, the corpus, the batches and the number of updates.

    start: the number of updates from which training is resumed; 0 for a new run.
    """
    left_out = [f"{count:,} with {why}" for why, count in corpus.rows.left_out.items() if count]
    lines = [
        f"model    {name}, {parameters:,} parameters",
        f"corpus   {len(batches.lengths[0]):,} training examples"
        + (f" (left out: {', '.join(left_out)})" if left_out else "")
        + f", {_read(corpus.codec.source)} and {len(corpus.codec.target):,} pieces",
        f"batches  {len(batches.buckets)} lengths, {batches.padding:.0%} padding; {updates:,} updates, "
        f"{updates / batches.per_epoch:.1f} epochs",
    ]
    if validation.unread:
        lines.append(
            f"validate {len(validation.examples):,} validation examples; the model cannot read {validation.unread:,} of them, "
            f"which perplexity leaves out, nor the sources of {validation.empty:,}, whose translations are empty"
        )
    if start:
        lines.append(f"resumed  after update {start:,}")
    return "\n".join(lines)


def _read(reader: Any) -> str:
    return f"{len(reader):,}" if reader.reads == "tokens" else reader.described()


def scores(run: Run, results: dict[str, Any]) -> str:
    """Returns the results of `evaluation.evaluate` as text, one line for each score."""
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
        lines.append(f"without a translation, and scored as empty: {results['refused']:,}")
    if alignment and alignment["refused"]:
        lines.append(
            f"too long for the model with their references, and without links: {alignment['refused']:,}"
        )
    if results["cut_off"]:
        lines.append(f"cut off by the length limit: {results['cut_off']:,}")
    return "\n".join(lines)


def translation(
    run: Run,
    source: Any,
    result: Translation,
    *,
    matrix: bool = True,
    picture: Path | None = None,
    choice: dict[str, Any] | None = None,
) -> None:
    """Prints a translation with its attention weights, and draws them.

    matrix: whether to print the weights as a matrix. picture: the file to which a heatmap is written; None: none is
    drawn. choice: the layer and head to show; None: the mean over heads of the last cross-attention.
    """
    print(f"\n{source}\n{result.text}\n")
    layers = sorted(layer for layer in result.weights if layer.startswith("cross/"))
    if not layers or not result.text.strip():
        empty = "the model wrote nothing" if layers else "no attention to show"
        print(f"({f'no translation: {result.refused}' if result.refused else empty})")
        return
    record = run.record(source, result)
    layer, head = (choice["layer"], choice["head"]) if choice else (layers[-1], None)
    printed, figure = task_of(run.config).show(record, layer, head, source)
    if matrix:
        print(printed)
    if picture is not None:
        # A local import: matplotlib takes long to import, and is needed for drawing only.
        from attention_lab.views import heatmap

        heatmap.save(figure, picture)
        print(f"\npicture  {picture}")


def looked(found: Looked) -> str:
    """Returns the layer and head, and for each word of an answer the words of the dialogue at which it looked most."""
    head = "mean of all heads" if found.head is None else f"head {found.head}"
    lines = text.strongest(found.weights, found.history, found.answer, **text.terminal())
    return f"({found.layer}, {head}, in percent)\n{lines}"


def weights(
    array: Any,
    read: Sequence[str],
    written: Sequence[str],
    *,
    matrix: bool = True,
    picture: Path | None = None,
) -> None:
    """Prints attention weights [Q, K] of what was written over what was read, and draws them.

    matrix: whether to print them. picture: the file to which a heatmap is written; None: none is drawn.
    """
    if matrix:
        print(f"\n{text.as_printed(array, read, written)}")
    if picture is not None:
        # A local import: matplotlib takes long to import, and is needed for drawing only.
        from attention_lab.views import heatmap

        heatmap.save(heatmap.heatmap(array, read, written), picture)
        print(f"\npicture  {picture}")
