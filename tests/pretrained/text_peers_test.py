"""Tokenizers and searches against transformers: the same ids for any text, and the same texts.

pip install -r requirements-peers.txt && python -m pytest -m slow tests/pretrained/text_peers_test.py
"""

import itertools
import random

import numpy as np
import pytest

import attention_lab
from attention_lab import runs
from attention_lab.decoding import COARSE
from attention_lab.pretrained.settings import search_in
from attention_lab.special_tokens import END
from tests.pretrained.made import MODELS, made, tokenized

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """By name: their tokenizer and model, and the run here."""
    known = {}

    def of(name):
        if name not in known:
            folder = tmp_path_factory.mktemp(name.replace(" ", "_"))
            tokenizer = tokenized(name, folder)
            size = max(len(tokenizer), 37)
            last = size - 1
            ends = {
                "gpt2": {"bos_token_id": 0, "eos_token_id": 0},
                "marian": {"pad_token_id": last, "decoder_start_token_id": last}
                | {"bad_words_ids": [[last]]},
            }.get(name, {})
            model = made(name, vocab_size=size, **ends)
            model.save_pretrained(folder)
            known[name] = tokenizer, model, attention_lab.from_pretrained(folder)
        return known[name]

    return of


def texts(count):
    """Texts of any Unicode but surrogates: words of the training texts, and characters from everywhere."""
    rng = random.Random(0)
    ranges = [
        (0x20, 0x7F),
        (0xA0, 0x250),
        (0x370, 0x400),
        (0x4E00, 0x4F00),
        (0x1F300, 0x1F600),
        (0, 0xD800),
        (0xE000, 0x110000),
    ]
    words = [
        "the",
        "cat",
        "sat",
        "on",
        "mat",
        "naïve",
        "Füße",
        "dog,",
        "ran",
        "to",
        "house!",
        "",
        "\t\n",
        "é",
    ]
    for _ in range(count):
        parts = [
            rng.choice(words) if rng.random() < 0.6 else chr(rng.randrange(*rng.choice(ranges)))
            for _ in range(rng.randrange(1, 12))
        ]
        yield rng.choice(["", " "]).join(parts)


@pytest.mark.parametrize("name", MODELS)
def test_the_ids_of_any_text_are_the_same(name, torch, opened):
    theirs, _, run = opened(name)
    order = np.array(run.codec.source.theirs)
    for text in texts(1000):
        expected = theirs(text)["input_ids"]
        found = order[run.codec.source.arrays([text])[0]].tolist()
        if name == "gpt2":  # which has no end
            found = found[:-1]
        assert found == expected, repr(text)
        encoded = run.codec.source.encode(text)
        assert len(encoded.ids) == len(encoded.word_of) == len(encoded.pieces)


# What a folder's generation_config.json says, and nothing, which is a beam with the length as a penalty.
SEARCHES = [
    {"num_beams": 1},
    {"num_beams": 3},
    {"num_beams": 4, "length_penalty": 2.0},
    {"num_beams": 2, "length_penalty": 0.0},
    {"num_beams": 5, "length_penalty": 0.6, "early_stopping": True},
]


PAIRS = [name for name in MODELS if name != "gpt2"]
FOUND = [("bart", search) for search in SEARCHES]
FOUND += [(name, search) for name in PAIRS if name != "bart" for search in SEARCHES[:2]]


@pytest.mark.parametrize(("name", "search"), FOUND, ids=str)
def test_searches_find_the_same_tokens(name, search, torch, opened):
    theirs, model, run = opened(name)
    order = np.array(run.codec.target.theirs)
    lengths = range(COARSE // 2, COARSE + 1)  # for which one program is compiled
    fitting = (text for text in texts(400) if len(run.codec.source.arrays([text])[0]) in lengths)
    sentences = list(itertools.islice(filter(str.strip, fitting), 12))
    settings = {"step": COARSE, "longest": (12, 0.0), **search_in(search)}
    ours = run.translate(sentences, **settings)
    for text, found in zip(sentences, ours, strict=True):
        with torch.no_grad():
            ids = theirs(text, return_tensors="pt")["input_ids"]
            expected = model.generate(
                ids, do_sample=False, max_new_tokens=12, forced_eos_token_id=None,
                forced_bos_token_id=None, bad_words_ids=[[model.config.pad_token_id]], **search,
            )[0, 1:].tolist()  # fmt: skip
        assert order[found.ids].tolist() == expected, repr(text)


def test_a_prompt_is_continued_with_the_same_tokens(torch, opened):
    theirs, model, run = opened("gpt2")
    order = np.array(run.codec.target.theirs)
    for text in ("the cat", "a dog, naïve"):
        ids = theirs(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            expected = model.generate(ids, do_sample=False, max_new_tokens=12)[0, ids.shape[1] :]
        found = runs.generate(run, [text], temperature=0.0, max_length=12, start=False)[0][0]
        assert order[found.ids].tolist() == expected.tolist()
        assert found.text == theirs.decode(expected[expected != order[END]])
