"""Input and output of text in any locale, and messages of errors."""

import io
import os
import shlex
import sys
from collections.abc import Iterator

from experiments.arguments import Refusal


def print_anything() -> None:
    """Configures the output streams so that printing never raises: characters that cannot be encoded are escaped.

    Files and pipes receive UTF-8. A terminal keeps its own encoding, and PYTHONIOENCODING has precedence.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            keep = stream.isatty() or "PYTHONIOENCODING" in os.environ
            stream.reconfigure(encoding=None if keep else "utf-8", errors="backslashreplace")


def as_text(word: str) -> str:
    """Decodes an argument as UTF-8, whatever the locale is. Raises Refusal if it is not valid UTF-8."""
    try:
        return os.fsencode(word).decode() if any("\ud800" <= c <= "\udfff" for c in word) else word
    except UnicodeError:
        raise Refusal(f"{word!r} is not UTF-8 text; convert it") from None


def typed(what: str) -> Iterator[str]:
    """Asks for lines at a prompt, and yields those that are typed until the end of input. what: each of them is one."""
    print(f"Type one {what} per line; Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            yield as_text(input("> "))
        except EOFError:
            return


def quoted(word: str) -> str:
    """Quotes an argument for a shell, on one line; unprintable characters become escape sequences."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = (
        chr(b) if 32 <= b < 127 and b not in b"'\\" else f"\\x{b:02x}" for b in os.fsencode(word)
    )
    return f"$'{''.join(escaped)}'"


def reason_of(error: Exception) -> str:
    """Returns the message of an error; that of an OSError has its file and reason, without the error number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
