"""Trains a model for the task of its config, and evaluates it on the test set.

    python -m experiments.train --config=configs/quickstart.py
    python -m experiments.train --config=configs/quickstart.py --config.model.decoder.attention.score=general
    python -m experiments.train --config=configs/multi30k.py:gru --workdir=runs/multi30k_gru
    python -m experiments.train --coordinator=HOST:PORT --processes=2 --process=0    # and --process=1 elsewhere
    python -m experiments.train --print_config

The same command resumes a run that was stopped. The command writes config.json, origin.json, the tokenizers,
metrics.jsonl, checkpoints/ and evaluation/ to --workdir; it rejects a folder that belongs to another config or to
other data. The exit status is 0 on success, and also if SIGTERM, Ctrl-C or --max_minutes stopped the run after it had
saved a checkpoint; it is 2 for an invalid command.
"""

from absl import flags
from ml_collections import config_flags

import attention_lab
from attention_lab.runs import checks
from experiments import command, hosts

DEFAULT = "configs/quickstart.py"
CONFIG = config_flags.DEFINE_config_file(
    "config", None, f"The config file of the run, by default {DEFAULT}."
)
WORKDIR = flags.DEFINE_string(
    "workdir", None, "The folder of the run, by default runs/NAME of the config."
)
MAX_MINUTES = flags.DEFINE_float(
    "max_minutes",
    None,
    "Save and stop after this many minutes; the same command resumes.",
    lower_bound=0,
)
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config without training.")
flags.adopt_module_key_flags(hosts)  # --help lists these flags too


def main(words: list[str]) -> None:
    """Trains and evaluates the model of the config."""
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
