"""The alignment error of each score function: eight arms on the Greek New Testament, with three seeds each.

python -m experiments.ablate --config=configs/ablations/greek_scores.py

--config.base.data.options.path is the folder of the files. Each seed is trained on two thirds of the tokens of
configs/greek_nt.py. The study takes an hour on 2 cores; the same command resumes it.
"""

from attention_lab.mechanism import SCORES
from configs import greek_nt
from configs.defaults import study


def get_config():
    config = study()
    config.name = "greek_scores"
    config.base = greek_nt.get_config()
    config.base.model.encoder.features = (
        config.base.model.decoder.hidden
    )  # dot requires equal widths
    config.base.training.tokens = 2_000_000
    config.base.training.buckets = 4
    config.base.training.validations = 3
    config.base.decoding.beam = 1
    config.arms = {score: {"model.decoder.attention.score": score} for score in SCORES}
    config.seeds = (0, 1, 2)
    return config
