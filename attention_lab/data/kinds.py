"""Kinds of tokenizers: how each learns its pieces from texts, and how it splits a text into them.

Texts are in the form that `tokenizer.written` returns: normalized, and without characters that pieces cannot contain.
"""

import functools
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import sentencepiece

from attention_lab.special_tokens import END, PAD, START, UNKNOWN

# The special tokens, in the order of their ids; a piece of text may look the same and has another id.
SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>")
SPACE = "▁"


def _train_sentencepiece(algorithm, texts, size, fixed, keep_whitespace):
    needed = fixed + len({SPACE, *"".join(texts)} - {" "})
    if size < needed:
        raise ValueError(
            f"size {size}: {algorithm} needs {needed} for the special tokens and characters"
        )
    model = io.BytesIO()
    special_tokens: dict[str, Any] = {
        "pad_id": PAD,
        "unk_id": UNKNOWN,
        "bos_id": START,
        "eos_id": END,
    }
    # The trainer removes the names of special tokens from sentences: here they contain a newline, which no sentence does.
    special_tokens |= {f"{name[:3]}_piece": f"\n{name}" for name in special_tokens}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type=algorithm,
        vocab_size=size - fixed + len(SPECIAL_TOKENS),
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=not keep_whitespace,
        remove_extra_whitespaces=not keep_whitespace,
        max_sentence_length=2**30,
        num_threads=1,
        minloglevel=2,
        **special_tokens,
    )
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return _learnt(trained), model.getvalue()


def _learnt(processor):
    return [processor.id_to_piece(i) for i in range(len(SPECIAL_TOKENS), len(processor))]


def _sentencepiece_cutter(model, known, byte_fallback):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    cut = functools.partial(processor.encode, out_type=str)
    if known.issuperset(_learnt(processor)) and not byte_fallback:
        return cut
    # A piece outside a restricted vocabulary is spelled in characters or bytes.
    return lambda text: [p for piece in cut(text) for p in ([piece] if piece in known else piece)]


def _train_frequent(cut, texts, size, fixed, keep_whitespace):
    del keep_whitespace
    counts = Counter(piece for text in texts for piece in cut(text))
    ranked = sorted(counts, key=lambda piece: (-counts[piece], piece))
    return ranked[: size - fixed], b""


def _characters(text):
    return list(text.replace(" ", SPACE))


def _words(text):
    return text.split(" ") if text else []  # other separators stand for characters of the text


class Kind(NamedTuple):
    """A kind of tokenizer. The pieces of a text, joined by `joiner`, are the text.

    train(texts, size, number of fixed pieces, keep_whitespace) returns the other pieces, and a model; cutter(model, known pieces,
    byte_fallback)(text) returns the pieces of a text.
    """

    train: Callable[[list[str], int, int, bool], tuple[Sequence[str], bytes]]
    cutter: Callable[[bytes, frozenset[str], bool], Callable[[str], list[str]]]
    joiner: str = ""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "bpe": Kind(functools.partial(_train_sentencepiece, "bpe"), _sentencepiece_cutter),
        "unigram": Kind(functools.partial(_train_sentencepiece, "unigram"), _sentencepiece_cutter),
        "char": Kind(functools.partial(_train_frequent, _characters), lambda *_: _characters),
        "word": Kind(functools.partial(_train_frequent, _words), lambda *_: _words, " "),
    }
)
