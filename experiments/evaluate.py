"""Judges a trained model on a split of its corpus: BLEU, chrF and, where links are known, alignment.

    python -m experiments.evaluate --workdir=runs/quickstart
    python -m experiments.evaluate --workdir=runs/quickstart --split=test_long --beam=1

Results stand in WORKDIR/evaluation. Exit status: 0; 2 where the command cannot be obeyed, or scores that were printed
could not be saved.
"""

from pathlib import Path

from absl import flags

from attention_lab import runs
from attention_lab.runs import evaluation, setup, showing
from experiments import command

WORKDIR = flags.DEFINE_string("workdir", "runs/quickstart", "The run to judge.")
SPLIT = flags.DEFINE_string("split", None, "Which split, by default the config's test split.")
BEAM = flags.DEFINE_integer("beam", None, "Beam size, by default the config's.", lower_bound=1)


def main(words: list[str]) -> None:
    """Prints the scores."""
    command.no_words(words)
    setup.prepare()
    run = runs.load(WORKDIR.value)
    search = {} if BEAM.value is None else {"beam": BEAM.value}
    split = SPLIT.value or run.config["data"]["test"]
    workdir = Path(WORKDIR.value)
    evaluation.earlier(workdir, split, evaluation.examples_of(run, split))
    found = evaluation.evaluate(run, split, evaluation.bar, **search)
    print(showing.scores(run, found.results), flush=True)
    try:
        found.save(workdir)
    except (ValueError, OSError) as error:
        raise command.Refusal(
            f"these scores could not be saved: {command.reason_of(error)}"
        ) from None


if __name__ == "__main__":
    command.run(main)
