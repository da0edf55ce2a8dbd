"""Text that appears token by token: what has appeared never changes, and no part of a stop string appears."""

import unicodedata

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from attention_lab.data.tokenizer import train
from attention_lab.runs.writing import Writer, _composing, may_change, settled
from attention_lab.special_tokens import END, PAD, START
from tests.data.small import SENTENCES

# A tilde stands alone in "q̃", and changes an "n" or an "e" before it.
MARKED = [*SENTENCES, "q\u0303 een nee \u1100 \u1161 \u11a8"]
TOKENIZERS = {
    "char": train("char", MARKED, 90),
    "char without marks": train("char", SENTENCES, 90),
    "bpe": train("bpe", MARKED, 120),
    "unigram": train("unigram", SENTENCES, 120),
    "word": train("word", MARKED, 50),
    "bytes": train("bpe", ["ab\u0303 e"], 280, byte_fallback=True),
}
few = hypothesis.settings(deadline=None, derandomize=True, max_examples=60)


def naive(text, stop):
    """The text before the stop string that is complete first, found one character at a time."""
    for end in range(len(text) + 1):
        for one in sorted(stop, key=len, reverse=True):
            if one and text[:end].endswith(one):
                return text[: end - len(one)]
    return text


@pytest.mark.parametrize("name", TOKENIZERS)
@few
@hypothesis.given(data=st.data())
def test_what_has_appeared_is_a_beginning_of_the_whole_before_its_stop_string(name, data):
    tokenizer = TOKENIZERS[name]
    # Mostly few tokens, so that characters compose and bytes meet.
    some = data.draw(st.lists(st.integers(PAD, len(tokenizer) - 1), min_size=2, max_size=6))
    ids = data.draw(st.lists(st.sampled_from([i for i in some if i != END] or [4]), max_size=14))
    prompt = data.draw(st.lists(st.sampled_from(some), max_size=3))
    whole = Writer(tokenizer, prompt, [], (END,))
    whole.add(ids)
    whole.finish("length")
    text, cuts = whole.text, st.integers(0, max(len(whole.text) - 1, 0))
    given = [
        text[i : i + n]
        for i, n in data.draw(st.lists(st.tuples(cuts, st.integers(1, 4)), max_size=3))
    ]
    stop = [one for one in [*given, *data.draw(st.lists(st.sampled_from(["e ", "zz"])))] if one]
    expected = naive(text, stop)
    writer, pieces = Writer(tokenizer, prompt, stop, (END,)), []
    for i in ids:
        pieces.append(writer.add([i]))
        assert writer.text == "".join(pieces) == expected[: len(writer.text)]
    pieces.append(writer.finish("length"))
    assert writer.text == "".join(pieces) == expected
    assert writer.reason == ("length" if expected == text else "stop") or stop
    # In blocks of any size the same is found, with the same tokens.
    blocks = Writer(tokenizer, prompt, stop, (END,))
    size = data.draw(st.integers(2, 8))
    for first in range(0, len(ids), size):
        blocks.add(ids[first : first + size])
    blocks.finish("length")
    assert (blocks.text, blocks.ids, blocks.reason) == (writer.text, writer.ids, writer.reason)


def test_the_whole_is_what_the_tokenizer_decodes_after_the_prompt():
    for name, tokenizer in TOKENIZERS.items():
        if name == "bytes":
            continue
        ids = tokenizer.encode("the quick brown fox").ids
        for known in range(len(ids) + 1):
            writer = Writer(tokenizer, [START, *ids[:known]], [], (END,))
            writer.add([*ids[known:], END])
            assert writer.reason == "end" and writer.ids == [*ids[known:], END]
            assert tokenizer.decode(ids[:known]) + writer.text == "the quick brown fox"


# Characters that compose, in one or two steps, or are put in order.
COMPOSING = "ae\u0301\u0303\u0323\u0327\u1100\u1161\u11a8\u09c7\u09be q1"


@few
@hypothesis.given(
    *[st.text(COMPOSING, max_size=5)] * 2, st.binary(max_size=4), st.binary(max_size=4)
)
def test_no_continuation_changes_what_is_settled(first, second, some, more):
    before = unicodedata.normalize("NFC", first)
    after = unicodedata.normalize("NFC", first + second)
    assert after.startswith(before[: settled(before)])
    # Beside bytes, which may be parts of a character.
    for tail in ("e\u0301", "가\u0301", ""):
        raw = (first + tail).encode() + some
        before, after = (
            unicodedata.normalize("NFC", one.decode(errors="replace"))
            for one in (raw, raw + more + second.encode())
        )
        assert after.startswith(before[: settled(before)])


def test_a_character_of_four_bytes_appears_when_it_is_whole():
    tokenizer = TOKENIZERS["bytes"]
    writer = Writer(tokenizer, tokenizer.encode("ab").ids, [], (END,))
    pieces = [writer.add([i]) for i in tokenizer.encode("😀é").ids[1:]]
    assert "".join(pieces) == "😀" and "\ufffd" not in "".join(pieces)
    assert writer.finish("length") == "é"


def test_a_tokenizer_whose_pieces_compose_with_nothing_holds_nothing_back():
    plain, marked = TOKENIZERS["char without marks"], TOKENIZERS["char"]
    assert not may_change(plain) and may_change(marked) and may_change(TOKENIZERS["bytes"])
    writer = Writer(plain, [], [], (END,))
    assert [writer.add([i]) for i in plain.encode("fox.").ids] == list("fox.")
    writer = Writer(marked, [], [], (END,))
    assert [writer.add([i]) for i in marked.encode("fox.").ids] == ["", *"fox"]


def test_no_character_from_the_third_plane_on_composes():
    later = (chr(i) for i in range(0x20000, 0x110000))
    for one in later:
        assert not unicodedata.combining(one) and len(unicodedata.normalize("NFD", one)) == 1
    assert {"\u0301", "\u1161", "\u09be"} <= _composing() and not {"a", " ", "é"} & _composing()


def test_a_token_that_changes_the_prompt_s_last_letter_writes_it_again():
    tokenizer = TOKENIZERS["char"]
    writer = Writer(tokenizer, tokenizer.encode("see").ids, [], (END,))
    writer.add(tokenizer.encode("q\u0303").ids[1:])
    writer.finish("length")
    assert writer.text == "\u1ebd"


def test_only_the_beginning_of_a_stop_string_is_held_back():
    tokenizer = TOKENIZERS["char without marks"]
    writer = Writer(tokenizer, [], ["the end", "dog"], (END,))
    pieces = [writer.add([i]) for i in tokenizer.encode("at the door the dog").ids]
    assert writer.text == "".join(pieces) == "at the door the "
    assert pieces[:10] == ["a", "", "", "t ", "", "", "", "the ", "", "doo"]
    assert writer.reason == "stop" and writer.add([4]) == writer.finish("length") == ""


def test_tokens_after_an_end_or_a_stop_string_are_left_out():
    tokenizer = TOKENIZERS["char without marks"]
    ids = tokenizer.encode("the fox").ids
    marks = Writer(tokenizer, [], [], (END, ids[3]))
    assert marks.add(ids[:4]) == "the" and marks.reason == "end"
    stopped = Writer(tokenizer, [], ["he"], (END,))
    assert stopped.add(ids) == "t" and stopped.ids == ids[:3] and stopped.reason == "stop"
    unended = Writer(tokenizer, [END], [], ())
    unended.add([*ids[:3], END, *ids[3:]])
    assert unended.finish("length") == "" and unended.text == "the fox"


def test_what_is_no_list_of_stop_strings_is_refused():
    for stop in ("end", [""], [None], [b"x"]):
        with pytest.raises(ValueError, match=r"stop is .*; it must be a list of strings"):
            Writer(TOKENIZERS["char"], [], stop, (END,))
    assert Writer(TOKENIZERS["char"], np.array([4, 5]), ("a",), (END,)).reason is None
