"""SciTLDR-A (Cachola et al. 2020): one sentence about a paper from its abstract, 1,992 of them, from scratch or pre-trained.

    python -m experiments.train --config=configs/scitldr.py:scratch
    python -m experiments.train --config=configs/scitldr.py:denoising       # its abstracts alone, with BART's noise
    python -m experiments.train --config=configs/scitldr.py:scratch --config.initialize_from=runs/scitldr_denoising

--config.data.options.path is the folder of {train,dev,test}.jsonl. A test example has several references; ROUGE is of
the most similar one, without stemming.
"""

from ml_collections import ConfigDict

from configs import defaults

STAGES = ("scratch", "denoising")


def get_config(stage: str = "scratch"):
    if stage not in STAGES:
        raise ValueError(f"there is no stage {stage!r}; known are {', '.join(STAGES)}")
    config = defaults.denoising() if stage == "denoising" else defaults.summarization()
    config.name = f"scitldr_{stage}"
    config.data.name = "scitldr"
    config.data.options = ConfigDict({"path": "data/scitldr"})
    config.data.max_length = 400
    config.tokenizer.update(kind="bpe", size=2000, joint=True, extra=10)
    defaults.both_stacks(
        config.model, features=128, heads=4, feed_forward=512, layers=2, encoding="no_encoding"
    )
    for stack in (config.model.encoder, config.model.decoder):
        stack.attention.score = "rotary(scaled_dot)"
    config.training.update(batch_tokens=500, tokens=600_000, warmup=200, buckets=3, dropout=0.2)
    config.decoding.update(beam=4, longest=(60, 0.0))
    if stage == "denoising":
        config.objective = ConfigDict({"kind": "denoising", "noise": ["permutation", "infilling"]})
        config.training.update(batch_tokens=3000, tokens=2_500_000, dropout=0.1)
    return config
