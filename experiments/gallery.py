"""Draws the gallery: what every piece makes of one and the same sequence, in a picture.

    python -m experiments.gallery --out=docs/gallery.png

The registries say what is shown: a new piece appears here with its next run.
"""

from pathlib import Path

from absl import flags

from attention_lab.views import gallery
from experiments import command

OUT = flags.DEFINE_string("out", "docs/gallery.png", "Where the picture goes: a .png file.")


def main(words: list[str]) -> None:
    """Draws the gallery into the file --out."""
    command.no_words(words)
    command.png("--out", OUT.value)
    if not Path(OUT.value).absolute().parent.is_dir():
        raise command.Refusal(f"--out={OUT.value}: there is no such folder; make it first")
    # Without the name of the software that wrote it, equal pictures are equal files.
    gallery.draw().savefig(OUT.value, format="png", metadata={"Software": None})


if __name__ == "__main__":
    command.run(main)
