"""A dialogue with a language model that was trained on dialogues, at a prompt or over pipes.

    python -m experiments.train --config=configs/chat.py        # trains such a model
    python -m experiments.chat --workdir=runs/chat
    python -m experiments.chat --show_attention --temperature=0.5 --seed=7
    echo "Find me a restaurant in San Jose" | python -m experiments.chat

The answer appears while it is generated. Ctrl-C stops it; at the prompt, Ctrl-C or Ctrl-D ends the dialogue. When the
dialogue becomes longer than what the model reads at once, its oldest turns are forgotten. --show_attention prints for
each word of the answer the words of the dialogue at which it looked most, with their weights in percent; by default of
the head whose weights are the greatest.

Of standard input that is no terminal, each line gives one line of output, the answer; that of a line which is blank, or
too long for the model, is empty. The exit status is then 1 if a line was too long; it is 2 for an invalid command.
"""

import contextlib
import io
import signal
import sys
import threading
from collections.abc import Iterator

from absl import flags

import attention_lab
from attention_lab.runs import setup, showing
from attention_lab.runs.chat import Chat
from experiments import command, sampling

WORKDIR = flags.DEFINE_string("workdir", "runs/chat", "The folder of the trained run.")
flags.adopt_module_key_flags(sampling)  # --help lists these flags too


def main(words: list[str]) -> int:
    """Holds a dialogue. Returns the exit status."""
    command.no_words(words)
    setup.enable_compilation_cache()
    run = attention_lab.load(WORKDIR.value)
    settings = sampling.settings(run)
    chat = Chat(run, seed=sampling.SEED.value, stop=sampling.stop(), **settings)
    if isinstance(sys.stdin, io.TextIOWrapper):  # bytes that are no text become unknown characters
        encoding = None if sys.stdin.isatty() else "utf-8"
        sys.stdin.reconfigure(encoding=encoding, errors="replace")
    if not sys.stdin.isatty():
        return max((int(not turn(chat, line)) for line in sys.stdin), default=0)
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (input() then edits lines, also those longer than a terminal's buffer)
    print(
        f"The model reads {chat.context} tokens at once. Ctrl-C stops an answer; Ctrl-D ends.",
        file=sys.stderr,
    )
    while True:
        try:
            line = input("you: ")
        except (EOFError, KeyboardInterrupt):
            print()
            return 0
        if line.strip():
            turn(chat, line, "model: ")


def turn(chat: Chat, line: str, name: str = "") -> bool:
    """Prints the answer to a line, and notes on standard error. Returns whether the line was not too long.

    name: what stands before the answer at a terminal. There, Ctrl-C ends the answer only.
    """
    with interruptible() if name else contextlib.nullcontext(threading.Event()) as interrupted:
        try:
            answer = chat.reply(line) if line.strip() else iter(())
        except ValueError as error:
            if not name:
                print(flush=True)
            print(f"chat: {error}", file=sys.stderr)
            return False
        note(chat)
        print(name, end="", flush=True)
        for piece in answer:
            print(piece, end="", flush=True)
            if interrupted.is_set():
                break
        print(flush=True)
        getattr(answer, "close", lambda: None)()
        note(chat)
        if sampling.SHOW.value and line.strip() and not interrupted.is_set():
            show(chat)
    return True


def note(chat: Chat) -> None:
    """Prints the notes of the dialogue."""
    while chat.notes:
        print(f"chat: {chat.notes.pop(0)}", file=sys.stderr, flush=True)


def show(chat: Chat) -> None:
    """Prints for each word of the last answer the words at which it looked most."""
    try:
        looked = chat.looked(sampling.LAYER.value, sampling.HEAD.value)
        print(showing.looked(looked), flush=True)
    except ValueError as error:
        print(f"chat: {error}", file=sys.stderr)


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Within, Ctrl-C sets the event, and interrupts nothing else."""
    event = threading.Event()
    previous = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)


if __name__ == "__main__":
    command.run(main)
