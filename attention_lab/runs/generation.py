"""Generation of text by a run: samples of many prompts at once, or one text while it is generated.

    generate(run, ["Once upon a time"], samples=3, seed=7, temperature=0.8, top_k=50, stop=["The end"])
    for piece in stream(run, "Once upon a time", temperature=0.8): print(piece, end="", flush=True)

A model without a source continues its prompts. For a model with a source prompts are sources, and a text may have a
given beginning.
"""

import functools
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.data.tokenizer import Tokenizer
from attention_lab.decoding import Sampling, sample_in_parts
from attention_lab.decoding import stream as stream_tokens
from attention_lab.padded import pad
from attention_lab.runs.run import Run
from attention_lab.runs.settings import sampling_of
from attention_lab.runs.writing import Writer
from attention_lab.special_tokens import END, START, UNKNOWN

# A text, or its ids without START and END, in which reserved tokens can be written.
Prompt = str | Sequence[int] | np.ndarray
# After how many tokens texts are searched for stop strings.
EVERY = 32


class Generation(NamedTuple):
    """One generated text.

    text: without the prompt and without a stop string. ids: int32 [L], without the prompt, with the token that ended
    the text. log_probability: the sum of theirs under the model, whatever the settings. reason: why the text ends: "end"
    (the model ended it), "stop", "length", "nothing" (no token was possible), or why the model cannot read the prompt.
    """

    text: str
    ids: np.ndarray
    log_probability: float
    reason: str


class Request(NamedTuple):
    """What a model reads for one text: the ids of its source and of its prompt; or why it cannot read them."""

    source: np.ndarray
    prompt: np.ndarray
    refused: str | None


def generate(
    run: Run,
    prompts: Sequence[Prompt],
    *,
    beginnings: Sequence[Prompt] | None = None,
    samples: int = 1,
    seed: int = 0,
    stop: Sequence[str] = (),
    rows: int = 64,
    progress: Callable[[int], Any] | None = None,
    **settings: Any,
) -> list[list[Generation]]:
    """Returns `samples` texts for each prompt.

    beginnings: of the texts, if the model has a source. stop: a text ends before the first of these strings, which may
    be parts of tokens, or span several. rows: the most texts of a batch. progress: is called with the number of newly
    finished texts. settings: fields of `Sampling`; UNKNOWN and reserved tokens that are not in `end` are never generated.

    Sample n of a prompt is a function of (prompt, seed, n), and of no other prompt or sample, except for rounding. Of a
    prompt that is longer than the model's table of positions only the last tokens are read, as many as half of the
    table. Raises ValueError for invalid settings.
    """
    sampling = _sampling(run.codec.target, settings)
    _check(samples=samples, seed=seed, rows=rows)
    for name, texts in (("prompts", prompts), ("beginnings", beginnings)):
        if isinstance(texts, str):
            raise ValueError(f"{name} must be a list, but one string was given; put it in a list")
    requests = _requests(run, prompts, beginnings, sampling)
    none = Generation("", np.empty(0, np.int32), 0.0, "")
    results: list[list[Any]] = [[none._replace(reason=one.refused)] * samples for one in requests]
    todo = [
        (one, i, n) for i, one in enumerate(requests) if not one.refused for n in range(samples)
    ]
    todo.sort(key=lambda text: [len(ids) for ids in text[0][:2]])
    rows = min(rows, 1 << max(len(todo) - 1, 0).bit_length())
    for part in (todo[first : first + rows] for first in range(0, len(todo), rows)):
        drawn = [(request, _key(seed, n, request)) for request, _, n in part]
        for (_, i, n), text in zip(part, _generated(run, drawn, rows, stop, sampling), strict=True):
            results[i][n] = text
        if progress is not None:
            progress(len(part))
    return results


def _generated(run, drawn, rows, stop, sampling):
    """Returns the texts of requests with their keys, in one batch of so many rows."""
    requests, keys = zip(*drawn, strict=True)
    writers = [_writer(run, request, stop, sampling) for request in requests]
    # START is written in the prompts. The rows that are too many are copies of the last: these take no more steps.
    source, prompt = _batch(run, [*requests, *requests[-1:] * (rows - len(drawn))])
    rngs = jnp.stack([*keys, *keys[-1:] * (rows - len(drawn))])
    every = EVERY if stop else sampling.max_length
    model, settings = (run.model, run.params), sampling._replace(start=False)
    for found in sample_in_parts(*model, source, prompt, settings, rngs, every):
        for writer, row in zip(writers, np.asarray(found.tokens), strict=False):
            writer.add(row[len(writer.ids) : np.count_nonzero(row)])
        if all(writer.reason for writer in writers):
            break
    texts = []
    for writer, logs in zip(writers, np.asarray(found.log_probabilities, float), strict=False):
        writer.finish(_exhausted(writer, sampling))
        ids, total = np.array(writer.ids, np.int32), float(logs[: len(writer.ids)].sum())
        texts.append(Generation(writer.text, ids, total, writer.reason))
    return texts


class Stream:
    """An iterator over the pieces of one text; `stream` makes it.

    text, ids: what there is so far. reason: as in `Generation`, None while the text continues.
    """

    def __init__(self, writer: Writer, tokens: Iterator[int], sampling: Sampling) -> None:
        self._writer = writer
        self._pieces = self._write(tokens, sampling)

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> str:
        return next(self._pieces)

    @property
    def text(self) -> str:
        """The pieces so far."""
        return self._writer.text

    @property
    def ids(self) -> list[int]:
        """The tokens so far, of which the last may have added no text yet."""
        return self._writer.ids

    @property
    def reason(self) -> str | None:
        """Why the text ends."""
        return self._writer.reason

    def _write(self, tokens, sampling):
        writer = self._writer
        pieces = (writer.add([token]) for token in tokens)
        for piece in pieces:
            if piece:
                yield piece
            if writer.reason:
                return
        if piece := writer.finish(_exhausted(writer, sampling)):
            yield piece


def stream(
    run: Run,
    prompt: Prompt,
    *,
    beginning: Prompt | None = None,
    number: int = 0,
    seed: int = 0,
    stop: Sequence[str] = (),
    width: int = 0,
    **settings: Any,
) -> Stream:
    """Returns an iterator over the pieces of sample `number` of a prompt, each as soon as no later token can change it.

    Joined, they are the text of `generate`, whose arguments the others are: no piece contains half of a character, or
    the beginning of a stop string. width: prompts of at most so many tokens need one compiled program; otherwise there
    is one for each power of two.
    """
    sampling = _sampling(run.codec.target, settings)
    _check(number=number, seed=seed)
    (request,) = _requests(run, [prompt], None if beginning is None else [beginning], sampling)
    writer = _writer(run, request, stop, sampling)
    if request.refused:
        writer.finish(request.refused)
        return Stream(writer, iter(()), sampling)
    source, given = jax.tree.map(lambda rows: rows[0], _batch(run, [request], width))
    key = _key(seed, number, request)
    as_read = sampling._replace(start=False)  # START is written in the prompt
    tokens = stream_tokens(run.model, run.params, source, given, as_read, key)
    return Stream(writer, tokens, sampling)


def request_of(
    run: Run, prompt: Prompt, *, beginning: Prompt | None = None, start: bool = True
) -> Request:
    """Returns what the model reads for one text. start: as in `Sampling`."""
    beginnings = None if beginning is None else [beginning]
    return _requests(run, [prompt], beginnings, Sampling(start=start))[0]


def reads_source(run: Run) -> bool:
    """Returns whether the model reads a source; if not, it continues its prompt."""
    return _reads_source(run.model)


@functools.lru_cache(maxsize=8)
def _reads_source(model):
    params = jax.eval_shape(model.init, jax.random.key(0))
    read, _ = jax.eval_shape(lambda params: model.start(params, model.blank(), 1), params)
    return bool(read.valid.shape[0])


def _sampling(tokenizer: Tokenizer, settings: Mapping[str, Any]) -> Sampling:
    """Returns the settings, with tokens that have no text banned."""
    sampling = sampling_of(settings)
    reserved = range(len(tokenizer) - tokenizer.extra, len(tokenizer))
    textless = {UNKNOWN, *reserved} - set(sampling.end)
    return sampling._replace(banned=tuple(sorted({*sampling.banned, *textless})))


def _check(**numbers: Any) -> None:
    """Raises ValueError if one is not a whole number, or is out of range."""
    for name, value in numbers.items():
        least = int(name in ("samples", "rows"))
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not (whole and least <= int(value) < 2**31):
            what = f"a whole number from {least} to {2**31 - 1:,}"
            raise ValueError(f"{name} is {value!r}; it must be {what}")


def _requests(run, prompts, beginnings, sampling):
    """Returns the request of each prompt."""
    if reads_source(run):
        sources = [np.append(_ids(run.codec.source, one), END) for one in prompts]
        texts = [""] * len(prompts) if beginnings is None else beginnings
    elif beginnings is not None:
        raise ValueError(
            "the model has no source, and continues its prompts; beginnings are for others"
        )
    else:
        sources, texts = [np.empty(0, int)] * len(prompts), prompts
    if len(texts) != len(prompts):
        raise ValueError(f"there are {len(prompts)} prompts, but {len(texts)} beginnings")
    limits = run.model.limits(run.params)
    requests = []
    for source, text in zip(sources, texts, strict=True):
        ids = _ids(run.codec.target, text)
        if sampling.start or not len(ids):
            ids = np.insert(ids, 0, START)
        if limits.target is not None and len(ids) > limits.target:
            ids = ids[-max(limits.target // 2, 1) :]
        refused = "the prompt is blank" if len(source) == 1 else limits.refusal(source)
        requests.append(Request(source, ids, refused))
    return requests


def _ids(tokenizer, prompt):
    """Returns the ids of a prompt. Raises ValueError if one is not in the vocabulary."""
    ids = tokenizer.encode_ids([prompt])[0] if isinstance(prompt, str) else np.asarray(prompt)
    whole = ids.ndim == 1 and (ids.dtype.kind in "iu" or not ids.size)
    if not (whole and all(0 <= i < len(tokenizer) for i in ids)):
        raise ValueError(
            f"a prompt must be a text, or a list of ids from 0 to {len(tokenizer) - 1}, not {prompt!r:.60}"
        )
    return ids.astype(int)


def _batch(run, requests, least=0):
    """Returns the sources and the prompts, padded to few widths: each is one more program to compile.

    least: the width of prompts that are not wider.
    """
    sides, padded = zip(*(one[:2] for one in requests), strict=True), []
    limits = run.model.limits(run.params)
    for rows, most, wide in zip(sides, limits[:2], (0, least), strict=True):
        longest = max(map(len, rows))
        width = max(16, 1 << (longest - 1).bit_length()) if longest > wide else wide
        padded.append(pad(rows, width if most is None else min(width, most)))
    return tuple(padded)


def _key(seed, number, request):
    """Returns the key of a text, which differs between prompts."""
    digest = zlib.crc32(np.concatenate(request[:2]).astype(np.int32).tobytes())
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), number), np.uint32(digest))


def _writer(run, request, stop, sampling):
    return Writer(run.codec.target, request.prompt, stop, sampling.end)


def _exhausted(writer, sampling):
    """Returns why a text ends after its last token, which did not end it."""
    return "length" if len(writer.ids) == sampling.max_length else "nothing"
