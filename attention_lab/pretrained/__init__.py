"""Pre-trained models that people have: GPT-2, T5, BART, PEGASUS and Marian, from a local folder of the library transformers.

    run = pretrained.from_pretrained("models/opus-mt-en-de")     # nothing is downloaded
    run.translate(["The cat sat on the mat"])[0].text

opening.py         a pre-trained model as a run
checkpoints.py     the files of a folder, checked before anything is read from them
architectures.py   which of our models a config.json describes
names.py           what its parameters are called there
vocabulary.py      the order of ids: ours begin with the special tokens
conversion.py      parameters from tensors, and back
text.py            the tokenizers, with our ids
"""

from attention_lab.pretrained.conversion import Pretrained, load, save
from attention_lab.pretrained.opening import from_pretrained, opened

__all__ = ["Pretrained", "from_pretrained", "load", "opened", "save"]
