"""A model of the literature by its name, with the sizes of its paper, on embedded data of the task for which it was made.

    python -m experiments.train --config=configs/named.py:bahdanau2015
    python -m experiments.train --config=configs/named.py:luong2015,4       # four times fewer features: a laptop's size
    python -m experiments.train --config=configs/named.py:chan2016,8

Names: fixed2014, bahdanau2015, luong2015, vaswani2017, chen2018, t5_1_0_small, t5_1_1_small, bart_base and pegasus_base
translate, xu2015 describes images, chan2016 and chorowski2015 transcribe speech, and gpt2 is a language model.
attention_lab/runs/named.py says in what each differs from its paper. `configs/vaswani.py` has the variants of the
Transformer. Any other data set is --config.data.name.
"""

from attention_lab.runs import named
from configs import defaults

BASES = {
    "xu2015": defaults.captioning,
    "chan2016": defaults.speech,
    "chorowski2015": defaults.speech,
    "gpt2": defaults.language,
}


def get_config(which: str = "bahdanau2015"):
    name, _, divide = which.partition(",")
    if divide and not (divide.isdecimal() and int(divide)):
        raise ValueError(f"{which!r} is not NAME or NAME,DIVISOR, as luong2015,4")
    config = BASES.get(name, defaults.translation)()
    config.name = which.replace(",", "_")
    config.model = defaults.fields(named.model(name, int(divide or 1)))
    return config
