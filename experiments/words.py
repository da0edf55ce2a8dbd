"""Text on its way in and out: any locale, any bytes, any error."""

import io
import os
import shlex
import sys

from experiments.arguments import Refusal


def print_anything() -> None:
    """Lets nothing that is printed fail for its letters, whatever the locale: what cannot be said is escaped.

    Files and pipes get UTF-8, as all files here are; a terminal gets its own encoding, and PYTHONIOENCODING is obeyed.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            kept = stream.isatty() or "PYTHONIOENCODING" in os.environ
            stream.reconfigure(encoding=None if kept else "utf-8", errors="backslashreplace")


def as_text(word: str) -> str:
    """A word that is a sentence or a name, of UTF-8, whatever Python takes the locale for. Raises Refusal where it is none."""
    try:
        return os.fsencode(word).decode() if any("\ud800" <= c <= "\udfff" for c in word) else word
    except UnicodeError:
        raise Refusal(f"{word!r} is not UTF-8 text; convert it") from None


def quoted(word: str) -> str:
    """A word as a shell reads it, in one line; bytes that are not seen are written as numbers."""
    if word.isprintable():
        return shlex.quote(word)
    seen = (
        chr(b) if 32 <= b < 127 and b not in b"'\\" else f"\\x{b:02x}" for b in os.fsencode(word)
    )
    return f"$'{''.join(seen)}'"


def reason_of(error: Exception) -> str:
    """What an error says; of one of the system's, file and reason without its number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
