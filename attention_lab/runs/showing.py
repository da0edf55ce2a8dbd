"""What commands print and draw: the plan of a run, its scores, and where a translation looked."""

from pathlib import Path
from typing import Any

from attention_lab.data.pipeline import Batches
from attention_lab.evaluation.alignment import word_weights
from attention_lab.runs.run import Run, Translation
from attention_lab.runs.setup import Corpus
from attention_lab.runs.validation import Judged
from attention_lab.views import heatmap, text


def plan(
    name: str,
    parameters: int,
    corpus: Corpus,
    batches: Batches,
    updates: int,
    start: int,
    given: Judged,
) -> str:
    """What is about to be trained, on what, for how long."""
    left_out = [f"{count:,} with {why}" for why, count in corpus.pairs.left_out.items() if count]
    lines = [
        f"model    {name}, {parameters:,} parameters",
        f"corpus   {len(corpus.pairs):,} training pairs"
        + (f" (left out: {', '.join(left_out)})" if left_out else "")
        + f", {len(corpus.source_tokenizer):,} and {len(corpus.target_tokenizer):,} pieces",
        f"batches  {len(batches.buckets)} lengths, {batches.padding:.0%} padding; {updates:,} updates, "
        f"{updates / batches.per_epoch:.1f} epochs",
    ]
    count = len(given.references)
    if left := count - len(given.pairs[0]):
        empty = count - len(given.sources)
        lines.append(
            f"judged   {count:,} validation pairs; the model cannot read {left:,} of them, which perplexity leaves out, "
            f"nor the sources of {empty:,}, whose translations are empty"
        )
    if start:
        lines.append(f"goes on  after update {start:,}")
    return "\n".join(lines)


def scores(results: dict[str, Any]) -> str:
    """The results of `evaluation.evaluate`, a line each."""
    lines = [
        f"\n{results['split']}: {results['sentences']:,} sentences in {results['seconds']:.1f} s",
        f"BLEU  {results['bleu']:.2f}  {results['signatures']['bleu']}",
        f"chrF  {results['chrf']:.2f}  {results['signatures']['chrf']}",
    ]
    found = results.get("alignment")
    if found:
        head = "" if found["head"] is None else f", head {found['head']}"
        lines.append(
            f"AER   {found['aer']:.1f} %  (precision {found['precision']:.1f}, recall "
            f"{found['recall']:.1f}; {found['place']}{head}, {found['rule']})"
        )
    elif results.get("unaligned"):
        lines.append(f"AER   none: {results['unaligned']}")
    if results["refused"]:
        lines.append(f"without a translation, and empty for all scores: {results['refused']:,}")
    if found and found["refused"]:
        lines.append(
            f"too long for the model with their references, and without links: {found['refused']:,}"
        )
    if results["cut_off"]:
        lines.append(f"cut off by the length limit: {results['cut_off']:,}")
    return "\n".join(lines)


def translation(
    run: Run,
    sentence: str,
    found: Translation,
    *,
    matrix: bool = True,
    picture: Path | None = None,
    choice: dict[str, Any] | None = None,
) -> None:
    """Prints a translation's attention as a matrix, and draws it. choice: which place and head to show."""
    print(f"\n{sentence}\n{found.text}\n")
    places = sorted(place for place in found.weights if place.startswith("cross/"))
    if not places or not found.text.strip():
        print(f"(no translation: {found.refused})" if found.refused else "(no attention to show)")
        return
    record = run.record(sentence, found)
    place, head = (choice["place"], choice["head"]) if choice else (places[-1], None)
    weights = word_weights(record, place, head)
    if matrix:
        text.show(weights, record.source_words, record.target_words)
    if picture is not None:
        heatmap.save(heatmap.heatmap(weights, record.source_words, record.target_words), picture)
        print(f"\npicture  {picture}")
