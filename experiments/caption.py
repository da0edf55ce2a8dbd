"""Describes images with a trained model, and shows where it looks while it writes each word.

    python -m experiments.caption photo.jpg --save_heatmap=where.png
    python -m experiments.caption --workdir=runs/captions_soft first.png second.png
    python -m experiments.caption --number=3 --show_attention      # the fourth picture of the run's test set

Each image gives one line of output. One that cannot be read gives an empty line, and a message on standard error. The
exit status is 0 on success, 1 if an image could not be read, and 2 for an invalid command.
"""

from pathlib import Path

from absl import flags

from attention_lab import runs
from attention_lab.data.images import ImageFile
from attention_lab.runs import describing, setup
from experiments import command

WORKDIR = flags.DEFINE_string("workdir", "runs/captions_soft", "The folder of the trained run.")
NUMBER = flags.DEFINE_integer(
    "number", None, "Describe this example of the run's test set, counted from 0.", lower_bound=0
)
BEAM = flags.DEFINE_integer(
    "beam", None, "The beam size, by default that of the config.", lower_bound=1
)
SHOW = flags.DEFINE_bool("show_attention", False, "Print a map of the weights of each word.")
HEATMAP = flags.DEFINE_string(
    "save_heatmap", None, "Draw the weights of each word over one image, as this .png file."
)


def main(paths: list[str]) -> int:
    """Prints captions. Returns the exit status."""
    if bool(paths) == (NUMBER.value is not None):
        raise command.Refusal("give the files of images, or --number; see --help")
    if HEATMAP.value:
        if len(paths) > 1:
            raise command.Refusal(f"--save_heatmap draws one image, and {len(paths)} are given")
        command.png("--save_heatmap", HEATMAP.value)
    setup.enable_compilation_cache()
    run = runs.load(WORKDIR.value)
    describing.checked(run, WORKDIR.value, "image", "train one with --config=configs/captions.py")
    number = NUMBER.value
    return describing.describe(
        run,
        Path(WORKDIR.value),
        list(map(ImageFile, paths)) if number is None else [describing.example_of(run, number)],
        lambda image: image.pixels(),
        name="caption",
        beam=BEAM.value,
        matrix=SHOW.value,
        picture=Path(HEATMAP.value) if HEATMAP.value else None,
    )


if __name__ == "__main__":
    command.run(main)
