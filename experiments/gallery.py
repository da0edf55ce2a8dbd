"""Draws the gallery: one picture that shows the attention weights of every piece on the same sequence.

    python -m experiments.gallery --out=docs/gallery.png

The pieces come from the registries, so a new one appears in the next picture. The exit status is 0 on success and 2
for an invalid command.
"""

from pathlib import Path

from absl import flags

from attention_lab.views import gallery
from experiments import command

OUT = flags.DEFINE_string("out", "docs/gallery.png", "The .png file of the picture.")


def main(words: list[str]) -> None:
    """Draws the gallery, and saves it as --out."""
    command.no_words(words)
    command.png("--out", OUT.value)
    if not Path(OUT.value).absolute().parent.is_dir():
        raise command.Refusal(f"--out={OUT.value}: the folder does not exist; create it first")
    # Without the name and version of the software, equal pictures give equal files.
    gallery.draw().savefig(OUT.value, format="png", metadata={"Software": None})


if __name__ == "__main__":
    command.run(main)
