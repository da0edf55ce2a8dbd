"""How well does each score function align? Eight arms on the Greek New Testament, linked by hand, three seeds each.

python -m experiments.ablate --config=configs/ablations/greek_scores.py

The folder of the files is --config.base.data.options.path. What counts is the alignment error; a seed sees two
thirds of the tokens that configs/greek_nt.py does. Time to expect on 2 cores: an hour; killed, the same command
goes on.
"""

from attention_lab.mechanism import SCORES
from configs import greek_nt
from configs.defaults import study


def get_config():
    config = study()
    config.name = "greek_scores"
    config.base = greek_nt.get_config()
    config.base.model.encoder.features = config.base.model.decoder.hidden  # dot wants equal widths
    config.base.training.tokens = 2_000_000
    config.base.training.buckets = 4
    config.base.training.validations = 3
    config.base.decoding.beam = 1
    config.arms = {score: {"model.decoder.attention.score": score} for score in SCORES}
    config.seeds = (0, 1, 2)
    return config
