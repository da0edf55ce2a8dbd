"""The words of a record: characters where no space parts them, whatever form letters have."""

import unicodedata
from types import SimpleNamespace

import numpy as np
import pytest

from attention_lab.data.tokenizer import UNKNOWN_TEXT, train
from attention_lab.data.vocabularies import Codec
from attention_lab.evaluation.alignment import word_weights
from attention_lab.models.base import Limits
from attention_lab.runs import Run, Translation, outputs
from attention_lab.special_tokens import END, UNKNOWN
from tests.data.small import every_kind

NONE = SimpleNamespace(name="none", limits=lambda params: Limits())
SOURCES = ["the cat likes GPT", "été là"]
TARGETS = ["猫喜欢 GPT。", "猫在那里"]


def run_of(kind, byte_fallback=False):
    """A run without a model: nothing is computed here."""
    size = 400 if byte_fallback else 80
    tokenizers = (train(kind, texts, size, byte_fallback) for texts in (SOURCES, TARGETS))
    return Run({}, NONE, {}, Codec(*tokenizers))


def translated(run, source, target):
    """A translation in which every token looks at the token with its number, or at the end."""
    ids = np.array([*run.codec.target.encode(target).ids, END])
    width = len(run.codec.source.encode(source).ids) + 1
    weights = np.eye(len(ids), width)[None]
    text = run.codec.target.decode(ids)
    return Translation(text, ids, 0.0, True, {"cross/0": weights})


@pytest.mark.parametrize(
    ("kind", "byte_fallback"), [("char", False), ("char", True), ("bpe", False), ("bpe", True)]
)
def test_characters_are_the_words_of_a_translation_without_spaces(kind, byte_fallback):
    run = run_of(kind, byte_fallback)
    record = run.record(SOURCES[0], translated(run, SOURCES[0], TARGETS[0]))
    assert record.target_words == ("猫", "喜", "欢", "GPT", "。")
    assert record.source_words == ("the", "cat", "likes", "GPT")
    assert word_weights(record).shape == (5, 5)
    # A space alone belongs to what was there when it was said; all else is as in the text.
    for message, token, word in zip(
        run.codec.target.encode(TARGETS[0]).word_of,
        record.target,
        record.target_word_of,
        strict=False,
    ):
        assert word == message or token == "▁"
    assert record.target_word_of[-1] == -1


@pytest.mark.parametrize("kind", ["bpe", "unigram", "char"])
def test_a_source_without_spaces_has_its_characters_as_words(kind):
    tokenizer = train(kind, TARGETS, 60)
    run = Run({}, NONE, {}, Codec(tokenizer, tokenizer))
    example = {"source": TARGETS[0], "target": TARGETS[1]}
    encoded = outputs.encode(run.codec, Limits(), [example])
    found = [{"cross/0": np.ones((1, len(encoded[0].target), len(encoded[0].source)))}]
    (record,) = outputs.records_of([example], encoded, found, {"cross/0": 1})
    assert record.source_words == ("猫", "喜", "欢", "GPT", "。")
    assert record.target_words == ("猫", "在", "那", "里")


@every_kind
def test_words_and_texts_in_different_forms_are_the_same_record(kind):
    run = run_of(kind)
    apart = unicodedata.normalize("NFD", SOURCES[1])
    records = []
    for text, words in [(SOURCES[1], apart.split()), (apart, SOURCES[1].split())]:
        example = {"source": text, "target": TARGETS[1], "source_words": words}
        encoded = outputs.encode(run.codec, Limits(), [example])
        found = [{"cross/0": np.ones((1, len(encoded[0].target), len(encoded[0].source)))}]
        linked = {**example, "links": [(1, 0)]}
        records += outputs.records_of([linked], encoded, found, {"cross/0": 1})
    assert records[0].source_words == records[1].source_words == ("été", "là")
    assert records[0].source_word_of == records[1].source_word_of
    assert UNKNOWN not in run.codec.source.encode(apart).ids


def test_an_unknown_word_stands_in_a_record_as_one_word():
    run = run_of("word")
    found = translated(run, SOURCES[0], "狗 GPT。")
    assert found.text == f"{UNKNOWN_TEXT} GPT。"
    assert run.record(SOURCES[0], found).target_words == (UNKNOWN_TEXT, "GPT", "。")
