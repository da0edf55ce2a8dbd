"""Validation of command lines: flags, configs and output paths. Invalid input is rejected with one line."""

import itertools
import json
import re
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict


class Refusal(Exception):
    """An invalid command; its message is one line for the user."""


def config_file(argv: list[str]) -> str | None:
    """Returns the path in --config, without the argument of the config file (`file.py:argument`)."""
    for word, following in itertools.zip_longest(argv, argv[1:], fillvalue=""):
        flag, equals, value = word.partition("=")
        if flag in ("--config", "-config"):
            return (value if equals else following).partition(":")[0]
    return None


def png(flag: str, path: str) -> None:
    """Raises Refusal if a PNG file cannot be saved at `path`. It is called before the picture is computed."""
    target = Path(path).absolute()
    if target.suffix.lower() != ".png":
        raise Refusal(f"{flag}={path}: pictures are saved as PNG files; the name must end in .png")
    try:
        if target.is_dir():
            raise Refusal(f"{flag}={path} is a folder; give the name of a file")
        existing = next(folder for folder in target.parents if folder.exists())
        with tempfile.NamedTemporaryFile(prefix=f".{target.name}.", dir=existing):
            pass
    except OSError as error:
        raise Refusal(f"{flag}={path} cannot be written: {error.strerror}") from None


def no_words(words: list[str]) -> None:
    """Raises Refusal if the command line has an argument that is not a flag."""
    if words:
        raise Refusal(f"{words[0]!r} is not a flag; see --help")


def config_of(
    words: list[str], config: Any, printed: bool, needs: Collection[str] = ()
) -> dict[str, Any] | None:
    """Returns the config of a command as plain data. If `printed`, prints it instead and returns None.

    needs: fields that identify a config of this command. Raises Refusal if there are arguments that are not flags, or
    if the config lacks one of these fields.
    """
    no_words(words)
    try:
        plain = json.loads(config.to_json())
    except TypeError:
        raise Refusal(no_json(config)) from None
    if missing := [name for name in needs if name not in plain]:
        raise Refusal(
            f"--config: it has no {' and no '.join(missing)}, so it is not a config of this command; see --help"
        )
    if not printed:
        return plain
    print(json.dumps(plain, indent=2))
    return None


def no_json(config: Any, prefix: str = "") -> str:
    """Returns a message about the first field whose value JSON cannot represent, or "" if there is none."""
    for name in config:
        value, field = config[name], f"{prefix}{name}"
        if isinstance(value, ConfigDict):
            message = no_json(value, f"{field}.")
        else:
            message = f"{field} is {value!r}; it must be composed of numbers, strings, True, False and None"
            with suppress(TypeError):
                message = ConfigDict({name: value}, convert_dict=False).to_json() and ""
        if message:
            return message
    return ""


def innermost(error: Any) -> str:
    """Returns the message of the innermost error in a chain of wrapped errors."""
    while isinstance(error, BaseException) and error.args:
        error = error.args[0]
    return str(error)


def option_of(text: str) -> tuple[str, str | int | float]:
    """Parses name=value into (name, value); decimal values become numbers."""
    name, equals, value = text.partition("=")
    if not equals:
        raise Refusal(f"--options has {text!r}; an option is name=value")
    if value.isdecimal():
        return name, int(value)
    return name, float(value) if re.fullmatch(r"\d*\.\d+", value, re.ASCII) else value
