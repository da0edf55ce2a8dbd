"""Transcribes recordings with a trained model, and shows when it listened while it wrote each word.

    python -m experiments.transcribe speech.wav --save_heatmap=when.png
    python -m experiments.transcribe --workdir=runs/speech first.wav second.flac
    python -m experiments.transcribe --number=3 --show_attention      # the fourth recording of the run's test set

Each recording gives one line of output. One that cannot be read gives an empty line, and a message on standard error.
The exit status is 0 on success, 1 if a recording could not be read, and 2 for an invalid command.
"""

from absl import flags

from attention_lab.data.sounds import SoundFile
from experiments import command, described

WORKDIR = flags.DEFINE_string("workdir", "runs/speech", "The folder of the trained run.")
flags.adopt_module_key_flags(described)

if __name__ == "__main__":
    command.run(
        lambda paths: described.describe(paths, WORKDIR.value, "transcribe", "frames", SoundFile)
    )
