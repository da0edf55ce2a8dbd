"""A cache of encoded pairs, keyed by the digest of their inputs: a corpus is encoded once."""

import contextlib
import hashlib
import io
import itertools
import json
import pathlib
import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np
import sentencepiece

from attention_lab import files
from attention_lab.data.rows import Pairs, encode
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.tokenizer import digest_of as digest_of_tokenizer
from attention_lab.data.tokenizer_files import Path

VERSION = 3  # must be increased if the results of `encode`, or the format of files, change
_DIGEST = hashlib.sha256().digest_size


def cached_encode(
    examples: Iterable[dict[str, Any]],
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    max_length: int | None = None,
    *,
    cache_dir: Path,
) -> Pairs:
    """Returns the result of `encode`, from cache_dir if the same texts, tokenizers and max_length were encoded before.

    A damaged file is replaced; if the file cannot be written, the pairs are returned nevertheless.
    """
    examples = list(examples)
    digest = digest_of(examples, source_tokenizer, target_tokenizer, max_length)
    path = pathlib.Path(cache_dir) / f"pairs-{digest[:32]}.bin"
    with contextlib.suppress(OSError, ValueError):
        return from_bytes(path.read_bytes(), digest)
    pairs = encode(examples, source_tokenizer, target_tokenizer, max_length)
    with contextlib.suppress(OSError):  # it is only slower without
        files.replace(path, to_bytes(pairs, digest))
    return pairs


def digest_of(
    examples: Iterable[dict[str, Any]],
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    max_length: int | None,
) -> str:
    """Returns the sha256, in hexadecimal, of all on which `encode` depends."""
    made_with = VERSION, sentencepiece.__version__, unicodedata.unidata_version, max_length
    digest = hashlib.sha256(repr(made_with).encode())
    for tokenizer in (source_tokenizer, target_tokenizer):
        digest.update(digest_of_tokenizer(tokenizer))
    for example in examples:
        for side in ("source", "target"):
            text = example[side].encode(errors="surrogatepass")
            # The length makes the sequence of texts unambiguous.
            digest.update(len(text).to_bytes(8, "little"))
            digest.update(text)
    return digest.hexdigest()


def to_bytes(pairs: Pairs, made_from: str = "") -> bytes:
    """Returns the digest of the content, then the content: one array of all rows per side, and the digest of the inputs."""
    arrays: dict[str, Any] = {
        "places": pairs.places,
        "left_out": np.array(json.dumps(pairs.left_out)),
        "made_from": np.array(made_from),
    }
    for side in ("source", "target"):
        rows = getattr(pairs, side)
        ids = np.concatenate([np.empty(0, np.int32), *rows])
        arrays[side] = ids.astype(np.min_scalar_type(ids.max(initial=0)))  # mostly two bytes
        arrays[f"{side}_lengths"] = np.array([len(row) for row in rows], np.int32)
    content = io.BytesIO()
    np.savez(content, **arrays)
    return hashlib.sha256(content.getbuffer()).digest() + content.getbuffer()


def from_bytes(data: bytes, made_from: str | None = None) -> Pairs:
    """Parses what `to_bytes` returned. Raises ValueError if it is damaged, or made from other inputs."""
    content = memoryview(data)[_DIGEST:]
    if hashlib.sha256(content).digest() != data[:_DIGEST]:
        raise ValueError("the pairs are damaged")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        if made_from not in (None, str(arrays["made_from"])):
            raise ValueError("the pairs were made from something else")
        source, target = (_rows(arrays, side) for side in ("source", "target"))
        return Pairs(source, target, arrays["places"], json.loads(str(arrays["left_out"])))


def _rows(arrays, side):
    ids = arrays[side].astype(np.int32)
    lengths = arrays[f"{side}_lengths"].tolist()
    ends = itertools.accumulate(lengths)
    return [ids[end - length : end] for end, length in zip(ends, lengths, strict=True)]
