"""The common part of all commands. An invalid command line ends with one line and status 2, never with a traceback."""

import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import app, flags, logging
from ml_collections import config_flags

from attention_lab.mechanism.registry import unknown
from attention_lab.training.interrupt import Stopped
from attention_lab.training.memory import collect_rarely, keep_memory
from experiments.arguments import Refusal, config_file, config_of, innermost, no_words, png
from experiments.words import as_text, print_anything, quoted, reason_of

__all__ = ["Refusal", "as_text", "config_of", "no_words", "png", "quoted", "reason_of", "run"]

NO_PYTHON = (SyntaxError, NameError)  # of a config file in JSON, for example
NO_MEMORY = "RESOURCE_EXHAUSTED"  # XLA's status code in its error messages


class MaybeInteger(flags.IntegerParser):
    """Parses an integer or None. The validation of a config rejects None for fields that need a number."""

    def parse(self, argument: Any) -> int | None:  # type: ignore[override]
        """Returns the integer, or None. Raises ValueError for any other text."""
        return None if argument == "None" else super().parse(argument)


config_flags.register_flag_parser(parser=MaybeInteger())(int)


def run(main: Callable[[list[str]], int | None], config: str | None = None) -> None:
    """Runs `main(arguments that are not flags)` as the program; its result is the exit status.

    ValueError, OSError, Refusal and a lack of memory print one line and give status 2. Stopped prints the command that
    resumes. config: the value of --config if the flag is absent. It is not the default of the flag, because absl would
    then parse the fields on the command line while it defines the flag, and a misspelled field would give a traceback.
    """
    collect_rarely()
    keep_memory()
    print_anything()
    name = sys.argv[0].rsplit("/", 1)[-1].removesuffix(".py")

    def refuse(reason: str) -> int:
        print(f"{name}: {' '.join(reason.split())}", file=sys.stderr)
        return 2

    warnings.formatwarning = lambda message, *_, **__: f"{name}: {message}\n"

    def execute(argv: list[str]) -> int:
        logging.set_verbosity(logging.FATAL)  # libraries also log the errors that they raise
        try:
            return main(list(map(as_text, argv[1:]))) or 0
        except BrokenPipeError:  # the reader closed the pipe, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except (ValueError, OSError, Refusal) as error:
            return refuse(reason_of(error))
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and NO_MEMORY not in str(error):
                raise
            request = re.search("allocating [0-9]+ bytes", str(error))
            details = f" ({request[0]})" if request else ""
            return refuse(
                f"there is not enough memory{details}; reduce the size of the model or of a batch"
            )
        except Stopped as reason:
            again = " ".join(["python", "-m", f"experiments.{name}", *map(quoted, sys.argv[1:])])
            print(f"\n{name}: stopped ({reason}); resume with\n{again}", flush=True)
            return reason.status
        except KeyboardInterrupt:
            print(f"\n{name}: stopped", file=sys.stderr)
            return 130

    def parse(argv: list[str]) -> list[str]:
        path = config_file(argv)
        if config is not None and path is None:
            argv = [argv[0], f"--config={config}", *argv[1:]]
        if path is not None and not Path(path).is_file():
            known = (
                str(file)
                for file in Path("configs").rglob("*.py")
                if file.stem not in ("__init__", "defaults")
            )
            sys.exit(refuse(unknown("config", path, sorted(known))))
        try:
            return flags.FLAGS(argv)
        except SystemExit:
            if any(word.lstrip("-").startswith(("help", "?")) for word in argv[1:]):
                sys.exit(0)  # printing the help is a success, but absl exits with status 1
            raise
        except (AttributeError, KeyError) as error:
            message = f"the config has no field {innermost(error)}".replace(" Did you", "; did you")
            if "get_config" in message:
                message = f"{path} is not a config file: it defines no get_config"
        except (flags.Error, TypeError, ValueError, OSError, ImportError, *NO_PYTHON) as error:
            message = innermost(error)
            if isinstance(error, NO_PYTHON):
                message = f"{path} is not valid Python: {message}"
            if "get_config()" in message:
                message = f"{path} accepts no argument after a colon"
            if "Traceback" in message:  # raised by the config file; its last line has the reason
                message = message.strip().splitlines()[-1].removeprefix("ValueError: ")
        hint = "--print_config prints all fields, --help the usage" if config else "see --help"
        sys.exit(refuse(f"{message} ({hint})"))

    try:
        f"{__file__}{os.getcwd()}".encode()
    except UnicodeEncodeError:
        where = "the path of this program or of the current folder is not valid UTF-8"
        sys.exit(refuse(f"{where}, which JAX requires; move it, or set PYTHONUTF8=1"))
    app.run(execute, flags_parser=parse)
