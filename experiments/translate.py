"""Translates with a trained model: a sentence, a file, or what is typed.

    python -m experiments.translate "The cat sat on the mat" --show_attention
    python -m experiments.translate --workdir=runs/quickstart --file=english.txt > french.txt
    python -m experiments.translate "I am eating an apple" --save_heatmap=apple.png --n_best=3
    python -m experiments.translate                 # asks for sentences, or reads a pipe

Lines out correspond to lines in; a blank line stays blank. A sentence that the model cannot read
is an empty line, and is named. With --n_best there are as many lines for each, the last ones empty where fewer
were found. Exit status: 0; 1 where a sentence could not be read; 2 where the command cannot be obeyed.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from absl import flags

from attention_lab import runs
from attention_lab.data.parallel_files import lines_of, read_lines
from attention_lab.runs import evaluation, setup, showing
from experiments import command

WORKDIR = flags.DEFINE_string("workdir", "runs/quickstart", "The run that translates.")
FILE = flags.DEFINE_string("file", None, "A text file, plain or gzipped, one sentence a line.")
BEAM = flags.DEFINE_integer("beam", None, "Beam size, by default the config's.", lower_bound=1)
N_BEST = flags.DEFINE_integer("n_best", 1, "How many translations of each.", lower_bound=1)
SHOW = flags.DEFINE_bool("show_attention", False, "Print where each word came from.")
HEATMAP = flags.DEFINE_string(
    "save_heatmap", None, "Draw it, of one sentence, into this .png file."
)


def main(words: list[str]) -> int:
    """Prints translations."""
    if words and FILE.value:
        raise command.Refusal("give a sentence or --file, not both")
    looks = SHOW.value or HEATMAP.value
    if HEATMAP.value and (FILE.value or len(words) != 1):
        raise command.Refusal("--save_heatmap draws one sentence: give it, in quotes")
    if HEATMAP.value:
        command.png("--save_heatmap", HEATMAP.value)
    setup.prepare()
    run = runs.load(WORKDIR.value)
    if words:
        return translate(run, words, looks)
    if FILE.value:
        return translate(run, read_lines(FILE.value), looks)
    if not sys.stdin.isatty():
        return translate(run, lines_of(sys.stdin.buffer.read(), "standard input"), looks)
    return max((translate(run, [line], looks) for line in prompt()), default=0)


def translate(run: runs.Run, sentences: list[str], looks: object) -> int:
    """Prints the translations of sentences, in order; 1 where one of them could not be translated."""
    size = max(BEAM.value or run.config["decoding"]["beam"], N_BEST.value)
    with evaluation.bar(len(sentences), "translating") as tell:
        found = run.n_best(
            sentences, weights=bool(looks), progress=tell, beam=size, n_best=N_BEST.value
        )
    for line, (sentence, hypotheses) in enumerate(zip(sentences, found, strict=True), 1):
        for hypothesis in hypotheses[: N_BEST.value]:
            if looks and not hypothesis.refused:
                picture = Path(HEATMAP.value) if HEATMAP.value else None
                showing.translation(run, sentence, hypothesis, matrix=SHOW.value, picture=picture)
            elif N_BEST.value > 1:
                print(f"{hypothesis.score:.4f}\t{hypothesis.text}")
            else:
                print(hypothesis.text)
        if not looks:
            print("-inf\t\n" * (N_BEST.value - len(hypotheses)), end="")
        if why := hypotheses[0].refused:
            print(f"translate: line {line}: {why}: {sentence[:60]!r}", file=sys.stderr)
        elif not hypotheses[0].ended:
            print(f"translate: cut off by the length limit: {sentence[:60]!r}", file=sys.stderr)
    return int(any(hypotheses[0].refused for hypotheses in found))


def prompt() -> Iterable[str]:
    """What is typed, line by line, until the end of input."""
    print("A sentence a line; Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            yield command.as_text(input("> "))
        except EOFError:
            return


if __name__ == "__main__":
    command.run(main)
