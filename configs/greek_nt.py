"""The Greek New Testament to English, with manual word links, to measure how well attention aligns words.

    python -m experiments.train --config=configs/greek_nt.py:additive
    python -m experiments.train --config=configs/greek_nt.py:general

--config.data.options.path is the folder of {train,valid,test}.jsonl.gz, with lines {"src", "tgt", "align": "i-j .."}.
The corpus is small and its translation is free, so the alignment error is more informative here than BLEU.
"""

from ml_collections import ConfigDict

from configs import defaults


def get_config(score: str = "additive"):
    config = defaults.translation()
    config.name = f"greek_nt_{score}"
    config.data.name = "greek_nt"
    config.data.options = ConfigDict({"path": "data/greek_nt_en"})
    config.tokenizer.size = 2000
    config.tokenizer.joint = False
    config.model = defaults.recurrent("luong", score)
    config.model.encoder.embedding = config.model.decoder.embedding = 128
    config.model.encoder.features, config.model.decoder.hidden = 256, 128
    config.model.tie = "output"
    config.training.tokens = 3_000_000
    config.training.learning_rate = 2e-3
    config.training.dropout = 0.4
    config.training.validation_sentences = 334
    return config
