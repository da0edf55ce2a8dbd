"""Captions of scenes of drawn objects, with the models of captions.py.

python -m experiments.train --config=configs/scenes.py:soft --config.data.options.path=data/captioning
python -m experiments.evaluate --workdir=runs/scenes_soft --split=comp      # pairs of a color and a noun never seen
"""

from ml_collections import ConfigDict

from configs import captions


def get_config(model: str = "soft"):
    config = captions.get_config(model)
    config.name = f"scenes_{model}"
    config.data.name = "emoji_scenes"
    config.data.options = ConfigDict({"path": "data/captioning"})
    config.data.size = 96
    config.training.tokens = 4_000_000
    return config
