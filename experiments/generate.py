"""Continues a prompt with a trained model, token by token: a text, the lines of a file, or standard input.

    python -m experiments.generate --workdir=runs/shakespeare_small "ROMEO:"
    python -m experiments.generate "ROMEO:" --samples=3 --seed=7 --temperature=0.8 --top_k=20 --stop=JULIET
    python -m experiments.generate "ROMEO:" --max_length=30 --show_attention --png=romeo.png
    python -m experiments.generate --file=prompts.txt > texts.txt
    python -m experiments.generate                  # asks for prompts, or reads a pipe

A language model continues its prompt, which is printed too; an empty one begins a new text. For a model with a source,
such as one that translates, the prompt is the source. Attention is that of the generated tokens, down, to what the model
has read, across: by default of the last layer, and the mean of its heads. A line with --- follows each text if there are several. The exit
status is 0 on success, 1 if the model could not read a prompt, and 2 for an invalid command.
"""

import itertools
import sys
from collections.abc import Iterable
from pathlib import Path

from absl import flags

import attention_lab
from attention_lab import runs
from attention_lab.data.parallel_files import lines_of, read_lines
from attention_lab.runs import evaluation, generation, inspection, setup, showing
from attention_lab.runs.chat import unknown_in
from experiments import command, sampling
from experiments.words import typed

WORKDIR = flags.DEFINE_string("workdir", "runs/shakespeare_small", "The folder of the trained run.")
FILE = flags.DEFINE_string("file", None, "A text file, plain or gzipped, one prompt per line.")
SAMPLES = flags.DEFINE_integer("samples", 1, "The number of texts per prompt.", lower_bound=1)
PNG = flags.DEFINE_string("png", None, "Save the attention weights of one text as this .png file.")
flags.adopt_module_key_flags(sampling)  # --help lists these flags too


def main(words: list[str]) -> int:
    """Prints texts. Returns the exit status."""
    if words and FILE.value:
        raise command.Refusal("give a prompt or --file, not both")
    if PNG.value and (FILE.value or len(words) != 1 or SAMPLES.value > 1):
        raise command.Refusal("--png draws one text; give one prompt in quotes, and no --samples")
    if PNG.value:
        command.png("--png", PNG.value)
    setup.enable_compilation_cache()
    run = attention_lab.load(WORKDIR.value)
    if words:
        return write(run, words)
    if FILE.value:
        return write(run, read_lines(FILE.value))
    if not sys.stdin.isatty():
        return write(run, lines_of(sys.stdin.buffer.read(), "standard input"))
    return max((write(run, [line]) for line in typed("prompt")), default=0)


def write(run: runs.Run, given: list[str]) -> int:
    """Prints the texts of prompts, in order. Returns 1 if the model could not read one of them, and otherwise 0."""
    settings, continues = sampling.settings(run, bool(PNG.value)), not generation.reads_source(run)
    several, refused = len(given) * SAMPLES.value > 1, 0
    options = {**settings, "seed": sampling.SEED.value, "stop": sampling.stop()}
    reader = run.codec.target if continues else run.codec.source
    for line, prompt in enumerate(given, 1):
        if unknown := unknown_in(reader, prompt):
            shown = " ".join(unknown)[:200]
            warn(f"line {line}: not in the model's vocabulary, and read as unknown: {shown}")
        length, read = (
            len(reader.encode_ids([prompt])[0]),
            generation.request_of(run, prompt).prompt,
        )
        if continues and len(read) < length:
            warn(f"line {line}: of {length:,} tokens, the model reads the last {len(read):,}")
    texts: Iterable[tuple[Iterable[str], runs.Generation | runs.Stream]]
    if several and not sys.stdout.isatty():
        with evaluation.bar(len(given) * SAMPLES.value, "generating") as advance:
            found = runs.generate(run, given, samples=SAMPLES.value, progress=advance, **options)
        texts = (([one.text], one) for samples in found for one in samples)
    else:
        numbers = itertools.product(given, range(SAMPLES.value))
        streams = (runs.stream(run, prompt, number=n, **options) for prompt, n in numbers)
        texts = ((one, one) for one in streams)
    for index, (pieces, text) in enumerate(texts):
        line, prompt = index // SAMPLES.value + 1, given[index // SAMPLES.value]
        print(prompt if continues else "", end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
        print("\n---" if several else "")
        if not len(text.ids):
            refused = 1
            reason = "no token was possible" if text.reason == "nothing" else text.reason
            warn(f"line {line}: {reason}: {prompt[:60]!r}")
        elif sampling.SHOW.value or PNG.value:
            picture = Path(PNG.value) if PNG.value else None
            inspected = inspection.inspect(run, prompt, text.ids, start=settings.get("start", True))
            labeled = inspection.matrix(
                run.codec, inspected, sampling.LAYER.value, sampling.HEAD.value
            )
            showing.weights(*labeled, matrix=sampling.SHOW.value, picture=picture)
    return refused


def warn(message: str) -> None:
    """Prints a message on standard error."""
    print(f"generate: {message}", file=sys.stderr)


if __name__ == "__main__":
    command.run(main)
