"""A small GPT that talks: the Schema-Guided Dialogues, in pieces of words (Rastogi et al. 2020).

    python -m experiments.train --config=configs/chat.py --config.data.options.path=data/sgd
    python -m experiments.chat --workdir=runs/chat

--config.data.options.path is the folder of sgd_{train,valid,test}.jsonl, gzipped or not, or of
{train,dev,test}/dialogues_*.json of github.com/google-research-datasets/dstc8-schema-guided-dialogue. Users ask for
restaurants, tickets, weather and the like; the model takes the part of the system, and makes up what it says, since it
knows no database.
"""

from ml_collections import ConfigDict

from configs import defaults


def get_config():
    config = defaults.language()
    config.name = "chat"
    config.data.update(name="sgd", max_length=256, test="validation")
    config.data.options = ConfigDict({"path": "data/sgd"})
    config.tokenizer.update(kind="bpe", size=2000)
    config.model.decoder.encoding = "no_encoding"
    config.model.decoder.attention.score = "rotary(scaled_dot)"
    config.model.decoder.update(layers=4, heads=4, features=128, feed_forward=512)
    config.training.update(batch_tokens=8 * 256, tokens=8_000_000, learning_rate=2e-3)
    config.training.update(validations=4, validation_sentences=200)
    config.sampling.update(temperature=0.7, top_p=0.9, max_length=80)
    return config
