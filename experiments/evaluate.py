"""Evaluates a trained model on a split of its corpus, by the metrics of its task and, where gold is known, of attention.

    python -m experiments.evaluate --workdir=runs/quickstart
    python -m experiments.evaluate --workdir=runs/quickstart --split=test_long --beam=1

The command writes the results to WORKDIR/evaluation. The exit status is 0 on success, and 2 for an invalid command or
if the printed scores could not be saved.
"""

from pathlib import Path

from absl import flags

from attention_lab import runs
from attention_lab.runs import evaluation, setup, showing
from experiments import command

WORKDIR = flags.DEFINE_string("workdir", "runs/quickstart", "The folder of the run to evaluate.")
SPLIT = flags.DEFINE_string("split", None, "The split, by default the test split of the config.")
BEAM = flags.DEFINE_integer(
    "beam", None, "The beam size, by default that of the config.", lower_bound=1
)


def main(words: list[str]) -> None:
    """Evaluates the run, and prints and saves the scores."""
    command.no_words(words)
    setup.enable_compilation_cache()
    run = runs.load(WORKDIR.value)
    search = {} if BEAM.value is None else {"beam": BEAM.value}
    split = SPLIT.value or run.config["data"]["test"]
    workdir = Path(WORKDIR.value)
    evaluation.check_earlier_scores(workdir, split, evaluation.examples_of(run, split))
    outcome = evaluation.evaluate(run, split, evaluation.bar, **search)
    print(showing.scores(run, outcome.results), flush=True)
    try:
        outcome.save(workdir)
    except (ValueError, OSError) as error:
        raise command.Refusal(
            f"the scores could not be saved: {command.reason_of(error)}"
        ) from None


if __name__ == "__main__":
    command.run(main)
