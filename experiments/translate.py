"""Translates with a trained model: a sentence, a file, or standard input.

    python -m experiments.translate "The cat sat on the mat" --show_attention
    python -m experiments.translate --workdir=runs/quickstart --file=english.txt > french.txt
    python -m experiments.translate "I am eating an apple" --save_heatmap=apple.png --n_best=3
    python -m experiments.translate                 # prompts for sentences, or reads a pipe

Each line of the input gives one line of output; a blank line stays blank. A sentence that the model cannot encode gives
an empty line, and a message on standard error. With --n_best=N each sentence gives N lines; if the search found fewer
hypotheses, the remaining lines are empty. The exit status is 0 on success, 1 if a sentence could not be encoded, and 2
for an invalid command.
"""

import sys
from pathlib import Path

from absl import flags

import attention_lab
from attention_lab import runs
from attention_lab.data.parallel_files import lines_of, read_lines
from attention_lab.runs import evaluation, setup, showing
from experiments import command
from experiments.words import typed

WORKDIR = flags.DEFINE_string("workdir", "runs/quickstart", "The folder of the trained run.")
FILE = flags.DEFINE_string("file", None, "A text file, plain or gzipped, one sentence per line.")
BEAM = flags.DEFINE_integer(
    "beam", None, "The beam size, by default that of the config.", lower_bound=1
)
N_BEST = flags.DEFINE_integer(
    "n_best", 1, "The number of translations per sentence.", lower_bound=1
)
SHOW = flags.DEFINE_bool("show_attention", False, "Print the attention weights of each sentence.")
HEATMAP = flags.DEFINE_string(
    "save_heatmap", None, "Save the attention weights of one sentence as this .png file."
)


def main(words: list[str]) -> int:
    """Prints translations. Returns the exit status."""
    if words and FILE.value:
        raise command.Refusal("give a sentence or --file, not both")
    weights = bool(SHOW.value or HEATMAP.value)
    if HEATMAP.value and (FILE.value or len(words) != 1):
        raise command.Refusal("--save_heatmap draws one sentence; give one sentence in quotes")
    if HEATMAP.value:
        command.png("--save_heatmap", HEATMAP.value)
    setup.enable_compilation_cache()
    run = attention_lab.load(WORKDIR.value)
    if run.model.reads == "image":
        raise command.Refusal(f"--workdir={WORKDIR.value} reads images; use experiments.caption")
    if words:
        return translate(run, words, weights)
    if FILE.value:
        return translate(run, read_lines(FILE.value), weights)
    if not sys.stdin.isatty():
        return translate(run, lines_of(sys.stdin.buffer.read(), "standard input"), weights)
    return max((translate(run, [line], weights) for line in typed("sentence")), default=0)


def translate(run: runs.Run, sentences: list[str], weights: bool) -> int:
    """Prints the translations of sentences, in order. Returns 1 if one of them could not be encoded, and otherwise 0.

    weights: whether to print or draw the attention weights.
    """
    size = max(BEAM.value or runs.decoding_of(run.config)["beam"], N_BEST.value)
    with evaluation.bar(len(sentences), "translating") as advance:
        translations = run.n_best(
            sentences, weights=weights, progress=advance, beam=size, n_best=N_BEST.value
        )
    for line, (sentence, hypotheses) in enumerate(zip(sentences, translations, strict=True), 1):
        for hypothesis in hypotheses[: N_BEST.value]:
            if weights and not hypothesis.refused:
                picture = Path(HEATMAP.value) if HEATMAP.value else None
                choice = evaluation.saved_choice(Path(WORKDIR.value), run.config["data"]["test"])
                showing.translation(
                    run, sentence, hypothesis, matrix=SHOW.value, picture=picture, choice=choice
                )
            elif N_BEST.value > 1:
                print(f"{hypothesis.score:.4f}\t{hypothesis.text}")
            else:
                print(hypothesis.text)
        if not weights:
            print("-inf\t\n" * (N_BEST.value - len(hypotheses)), end="")
        if reason := hypotheses[0].refused:
            print(f"translate: line {line}: {reason}: {sentence[:60]!r}", file=sys.stderr)
        elif not hypotheses[0].ended:
            print(f"translate: cut off by the length limit: {sentence[:60]!r}", file=sys.stderr)
    return int(any(hypotheses[0].refused for hypotheses in translations))


if __name__ == "__main__":
    command.run(main)
