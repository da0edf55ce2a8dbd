"""What all commands do alike: a wrong command line ends in one line and status 2, never in a traceback."""

import ctypes
import io
import itertools
import json
import os
import re
import shlex
import sys
import tempfile
import warnings
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from attention_lab.mechanism.registry import unknown
from attention_lab.training.interrupt import Stopped

ROOM = 4 * 2**30  # bytes of address space that go on large pages; training here takes less
NO_MEMORY = "RESOURCE_EXHAUSTED"  # as XLA says it


class Refusal(Exception):
    """A command that cannot be obeyed, said in one line."""


class MaybeInteger(flags.IntegerParser):
    """Reads a whole number, or None, which the checks of a config refuse where it means nothing."""

    def parse(self, argument: Any) -> int | None:  # type: ignore[override]
        """The number that is written there. Raises ValueError where none is."""
        return None if argument == "None" else super().parse(argument)


config_flags.register_flag_parser(parser=MaybeInteger())(int)


def run(main: Callable[[list[str]], int | None], config: str | None = None) -> None:
    """Runs `main(words after the flags)` as the program; its result is the exit status.

    ValueError, OSError, Refusal and a lack of memory become one line and status 2, Stopped the command to go on
    with. config: the value of --config where none is given. (Not a default of the flag: absl would read that, and the fields set
    beside it, where a mistyped field could end only in a traceback.)
    """
    keep_memory()
    print_anything()
    name = sys.argv[0].rsplit("/", 1)[-1].removesuffix(".py")

    def refuse(reason: str) -> int:
        print(f"{name}: {' '.join(reason.split())}", file=sys.stderr)
        return 2

    warnings.formatwarning = lambda message, *_, **__: f"{name}: {message}\n"

    def obey(argv: list[str]) -> int:
        logging.set_verbosity(logging.FATAL)  # libraries log what they also raise; it is said once
        try:
            return main(list(map(as_text, argv[1:]))) or 0
        except BrokenPipeError:  # who read what is printed has gone, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except (ValueError, OSError, Refusal) as error:
            return refuse(reason_of(error))
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and NO_MEMORY not in str(error):
                raise
            told = re.search("allocating [0-9]+ bytes", str(error))
            return refuse(
                f"there is not enough memory{f' ({told[0]})' if told else ''}; ask for less at once"
            )
        except Stopped as reason:
            again = " ".join(["python", "-m", f"experiments.{name}", *map(quoted, sys.argv[1:])])
            print(f"\n{name}: stopped ({reason}); go on with\n{again}", flush=True)
            return reason.status
        except KeyboardInterrupt:
            print(f"\n{name}: stopped", file=sys.stderr)
            return 130

    def parse(argv: list[str]) -> list[str]:
        given = config_file(argv)
        if config is not None and given is None:
            argv = [argv[0], f"--config={config}", *argv[1:]]
        if given is not None and not Path(given).is_file():
            known = (
                str(path)
                for path in Path("configs").rglob("*.py")
                if path.stem not in ("__init__", "defaults")
            )
            sys.exit(refuse(unknown("config", given, sorted(known))))
        try:
            return flags.FLAGS(argv)
        except SystemExit:
            asked = any(word.lstrip("-").startswith(("help", "?")) for word in argv[1:])
            if asked:  # and answered, which is no failure; absl ends with status 1
                sys.exit(0)
            raise
        except (AttributeError, KeyError) as error:
            said = f"the config has no field {innermost(error)}".replace(" Did you", "; did you")
            if "get_config" in said:
                said = f"{given} is no config: it defines no get_config"
        except (flags.Error, TypeError, ValueError, OSError, ImportError, SyntaxError) as error:
            said = innermost(error)
            if isinstance(error, SyntaxError):
                said = f"{given} is no Python: {said}"
            if "get_config()" in said:
                said = f"{given} takes nothing behind a colon"
            if "Traceback" in said:  # of the config file; its last line is the reason
                said = said.strip().splitlines()[-1]
        hint = "--print_config shows every field, --help the usage" if config else "see --help"
        sys.exit(refuse(f"{said} ({hint})"))

    try:
        f"{__file__}{os.getcwd()}".encode()
    except UnicodeEncodeError:
        here = "the path of this program or of the current folder is not UTF-8"
        sys.exit(refuse(f"{here}, and JAX takes no other; move it, or set PYTHONUTF8=1"))
    app.run(obey, flags_parser=parse)


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


def keep_memory() -> None:
    """Keeps what a compiled program gave back for the next one, on large pages, where the C library is glibc.

    XLA on CPU asks for a program's temporaries, hundreds of MiB, anew at each call, and glibc returns them
    to the system in between: a third of a training step can go to page faults. Large pages take a tenth off
    what is left. Nothing happens elsewhere. To be called before JAX starts its threads.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        mallopt, malloc, free, madvise = libc.mallopt, libc.malloc, libc.free, libc.madvise
    except (OSError, AttributeError):
        return
    arena_max, mmap_max, trim_threshold = -8, -4, -1  # of malloc.h
    mallopt(arena_max, 1)  # other threads' arenas would map large blocks all the same
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, -1)  # never

    page, hugepage = 2**21, 14  # of x86 and most ARM; of madvise
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    free.argtypes = [ctypes.c_void_p]
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    room = malloc(ROOM)  # addresses only: a page is taken when it is first written
    if room:
        first = -(-room // page) * page
        madvise(first, (room + ROOM - first) // page * page, hugepage)
        free(room)


def config_file(argv: list[str]) -> str | None:
    """The file that --config names, without what is passed on to it (`file.py:argument`)."""
    for word, following in itertools.zip_longest(argv, argv[1:], fillvalue=""):
        flag, equals, value = word.partition("=")
        if flag in ("--config", "-config"):
            return (value if equals else following).partition(":")[0]
    return None


def png(flag: str, path: str) -> None:
    """Raises Refusal where a picture cannot be saved there as a PNG: before it is made."""
    place = Path(path).absolute()
    if place.suffix.lower() != ".png":
        raise Refusal(f"{flag}={path}: pictures are PNG files; let it end in .png")
    try:
        if place.is_dir():
            raise Refusal(f"{flag}={path}: that is a folder")
        there = next(folder for folder in place.parents if folder.exists())
        with tempfile.NamedTemporaryFile(prefix=f".{place.name}.", dir=there):
            pass
    except OSError as error:
        raise Refusal(f"{flag}={path} cannot be written: {error.strerror}") from None


def no_words(words: list[str]) -> None:
    """Raises Refusal where something stands on the command line that is not a flag."""
    if words:
        raise Refusal(f"{words[0]!r} is not a flag; see --help")


def config_of(
    words: list[str], config: Any, printed: bool, needs: Collection[str] = ()
) -> dict[str, Any] | None:
    """The config of a command as plain data; None where it was only to be printed, and is.

    needs: some of its fields, by which it is known. Raises Refusal as `no_words` does, and for a config of
    another command.
    """
    no_words(words)
    try:
        plain = json.loads(config.to_json())
    except TypeError:
        raise Refusal(no_json(config)) from None
    if missing := [name for name in needs if name not in plain]:
        raise Refusal(
            f"--config: it has no {' and no '.join(missing)}, so it is not one of this command; see --help"
        )
    if not printed:
        return plain
    print(json.dumps(plain, indent=2))
    return None


def no_json(config: Any, place: str = "") -> str:
    """Which field of a config has a value that JSON cannot hold; nothing where none has."""
    for name in config:
        value, field = config[name], f"{place}{name}"
        if isinstance(value, ConfigDict):
            told = no_json(value, f"{field}.")
        else:
            told = f"{field} is {value!r}; it must be made of numbers, texts, True, False and None"
            with suppress(TypeError):
                told = ConfigDict({name: value}, convert_dict=False).to_json() and ""
        if told:
            return told
    return ""


def innermost(error: Any) -> str:
    """What the error says that others were made from."""
    while isinstance(error, BaseException) and error.args:
        error = error.args[0]
    return str(error)
