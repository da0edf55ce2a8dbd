"""Describes images with a trained model, and shows where it looks while it writes each word.

    python -m experiments.caption photo.jpg --save_heatmap=where.png
    python -m experiments.caption --workdir=runs/captions_soft first.png second.png
    python -m experiments.caption --number=3 --show_attention      # the fourth picture of the run's test set

Each image gives one line of output. One that cannot be read gives an empty line, and a message on standard error. The
exit status is 0 on success, 1 if an image could not be read, and 2 for an invalid command.
"""

from absl import flags

from attention_lab.data.images import ImageFile
from experiments import command, described

WORKDIR = flags.DEFINE_string("workdir", "runs/captions_soft", "The folder of the trained run.")
flags.adopt_module_key_flags(described)

if __name__ == "__main__":
    command.run(
        lambda paths: described.describe(paths, WORKDIR.value, "caption", "image", ImageFile)
    )
