"""Prints what is reached on a corpus without a model: n-grams, the first sentence, the most frequent answer.

    python -m experiments.baselines shakespeare --task=language --split=validation --options=path=data/shakespeare
    python -m experiments.baselines scitldr --task=summarization --options=path=data/SciTLDR-A
    python -m experiments.baselines babi --task=answering --options=path=data/babi,task=1

The corpus is a dataset of attention_lab.data.sources, with its options. The exit status is 0 on success, and 2 for an
invalid command.
"""

from absl import flags

from attention_lab.data import sources
from attention_lab.evaluation.baselines import BASELINES, baselines
from experiments import command
from experiments.arguments import option_of

TASK = flags.DEFINE_enum("task", None, [*BASELINES], "The task.", required=True)
SPLIT = flags.DEFINE_string("split", "test", "The split that is evaluated.")
OPTIONS = flags.DEFINE_list("options", [], "Options of the dataset, such as path=data/babi,task=1.")


def main(words: list[str]) -> None:
    """Prints the baselines of the corpus that is named by the only argument."""
    if len(words) != 1:
        raise command.Refusal("give the name of one dataset: python -m experiments.baselines babi")
    options = dict(map(option_of, OPTIONS.value))
    train, examples = (
        [*map(source.__getitem__, range(len(source)))]
        for source in (sources.opened(words[0], split, options) for split in ("train", SPLIT.value))
    )
    rows = baselines(TASK.value, train, examples)
    print(f"{words[0]}, {SPLIT.value}: {len(examples):,} example{'s' * (len(examples) > 1)}")
    for name, scores in rows:
        print(
            f"{name:40}", *(f"{metric} {score:.3f}" for metric, score in scores.items()), sep="  "
        )


if __name__ == "__main__":
    command.run(main)
