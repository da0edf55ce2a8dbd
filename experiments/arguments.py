"""What commands read: words, configs and places, each refused in one line where it cannot be obeyed."""

import itertools
import json
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict


class Refusal(Exception):
    """A command that cannot be obeyed, said in one line."""


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
