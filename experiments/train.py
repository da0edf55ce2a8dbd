"""Trains a translation model, and judges it on the test set.

    python -m experiments.train --config=configs/quickstart.py
    python -m experiments.train --config=configs/quickstart.py --config.model.decoder.attention.score=general
    python -m experiments.train --config=configs/multi30k.py:gru --workdir=runs/multi30k_gru
    python -m experiments.train --coordinator=HOST:PORT --processes=2 --process=0    # and --process=1, elsewhere
    python -m experiments.train --print_config

The same command goes on with a run that was stopped. --workdir, by default runs/NAME of the config, gets
config.json, origin.json, the tokenizers, metrics.jsonl, checkpoints/ and evaluation/. A folder that was begun with
another config, or on other data, is refused. Exit status: 0, also where SIGTERM, Ctrl-C or --max_minutes stopped it in
order, with everything saved; 2 where the command cannot be obeyed.
"""

from absl import flags
from ml_collections import config_flags

import attention_lab
from attention_lab.runs import checks
from experiments import command, hosts

DEFAULT = "configs/quickstart.py"
CONFIG = config_flags.DEFINE_config_file("config", None, f"What to train, by default {DEFAULT}.")
WORKDIR = flags.DEFINE_string("workdir", None, "Where everything goes, by default runs/NAME.")
MAX_MINUTES = flags.DEFINE_float(
    "max_minutes", None, "Stop then, in order; the same command goes on.", lower_bound=0
)
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config, and train nothing.")
flags.adopt_module_key_flags(hosts)  # so that --help tells of them


def main(words: list[str]) -> None:
    """Trains what the config asks for."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("data", "model"))
    if config is None:
        return
    checks.run(config)
    hosts.connect()
    attention_lab.train(
        config,
        WORKDIR.value or f"runs/{config['name']}",
        max_minutes=MAX_MINUTES.value,
        showcase=list(map(command.as_text, config["showcase"])),
    )


if __name__ == "__main__":
    command.run(main, DEFAULT)
