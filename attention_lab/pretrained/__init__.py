"""Pre-trained models that people have: GPT-2, T5, BART, PEGASUS and Marian, from a local folder of the library transformers.

    opened = pretrained.load("models/t5-small")           # config.json and model.safetensors; nothing is downloaded
    opened.model.apply(opened.params, example)

checkpoints.py     the files of a folder, checked before anything is read from them
architectures.py   which of our models a config.json describes
names.py           what its parameters are called there
vocabulary.py      the order of ids: ours begin with the special tokens
conversion.py      parameters from tensors, and back
"""

from attention_lab.pretrained.conversion import Pretrained, load, save

__all__ = ["Pretrained", "load", "save"]
