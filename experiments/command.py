"""What all commands do alike: a wrong command line ends in one line and status 2, never in a traceback."""

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

NO_MEMORY = "RESOURCE_EXHAUSTED"  # as XLA says it


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
    collect_rarely()
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
