"""Pre-trained models that people have: GPT-2, T5, BART, PEGASUS and Marian, from a local folder of the library transformers.

    opened = pretrained.load("models/opus-mt-en-de")     # nothing is downloaded
    opened.model, opened.params

`attention_lab.from_pretrained` returns such a model as a run, which translates and shows its attention.

checkpoints.py       the files of a folder, checked before anything is read from them
architectures.py     which of our models a config.json describes
names.py             what its parameters are called there
vocabulary.py        the order of ids: ours begin with the special tokens
conversion.py        parameters from tensors, and back
tokenizer.py         the tokenizers, with our ids
tokenizer_files.py   their files
settings.py          searches and sampling, as generation_config.json has them
"""

from attention_lab.pretrained.conversion import Pretrained, load, save, words_of

__all__ = ["Pretrained", "load", "save", "words_of"]
