"""A dialogue with a language model that was trained on dialogues.

    chat = Chat(run, seed=7, temperature=0.7)
    for piece in chat.reply("I'd like a table for two."): print(piece, end="", flush=True)
    print(strongest(*chat.looked()[:3]))               # where each word of the answer looked; `strongest` is a view

The model continues the text of `data.dialogues.prompt_of`, until it ends its line or writes a mark of a speaker.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data.dialogues import MARKS, SYSTEM, USER, plain, prompt_of
from attention_lab.data.kinds import KINDS, SPACE
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.words import words_of
from attention_lab.runs import generation, inspection
from attention_lab.runs.run import Run
from attention_lab.runs.settings import sampling_of
from attention_lab.runs.writing import beginning_of
from attention_lab.special_tokens import UNKNOWN


class Looked(NamedTuple):
    """The attention of an answer, in words.

    weights: [J, I + 1] of the words of the answer over those of the dialogue before it; the last column is the rest, on
    marks and on the answer itself. layer, head: whose they are; None: the mean of all heads.
    """

    weights: np.ndarray
    history: list[str]
    answer: list[str]
    layer: str
    head: int | None


class Chat:
    """A dialogue of a person with a model.

    context: how many tokens the model reads at once, the dialogue and its answer: the length of its training examples,
    or less. settings, stop: of the answers, as in `runs.stream`; settings are by default those of the run's config.
    seed: answer n is a function of the dialogue before it, the seed and n.

    turns: the dialogue so far, {"speaker", "text"} each. first: the index of the oldest turn that the model still reads.
    notes: what the person should know, one line each; who shows them removes them. reason: why the last answer ended,
    as in `Generation`, None if it was interrupted. Raises ValueError if the model cannot take part in a dialogue, and
    for invalid settings.
    """

    def __init__(
        self, run: Run, *, seed: int = 0, stop: Sequence[str] = (), **settings: Any
    ) -> None:
        if generation.reads_source(run):
            raise ValueError(
                "the model has a source, which it does not continue; a chat needs a language model"
            )
        if UNKNOWN in np.concatenate(run.codec.target.encode_ids(MARKS.values())):
            raise ValueError(
                f"the vocabulary cannot spell {' and '.join(MARKS.values())}, which mark the speakers; a chat needs a "
                "model of dialogues"
            )
        self.run, self.seed = run, seed
        self.settings = {**run.config.get("sampling", {}), **settings}
        self.stop = ("\n", *MARKS.values(), *stop)
        most, trained = run.model.limits(run.params).target, run.config["data"]["max_length"]
        self.context: int = trained if most is None else min(most, trained)
        longest = sampling_of(self.settings).max_length
        # Of a short context, half is for the dialogue.
        self.room = self.context - min(longest, self.context // 2)
        self._marks = self._length([{"speaker": USER, "text": "a"}]) - 1
        if self._marks >= self.room:
            raise ValueError(
                f"the model reads {self.context} tokens at once, which are too few for a dialogue"
            )
        self.turns: list[dict[str, str]] = []
        self.first = 0
        self.notes: list[str] = []
        self.reason: str | None = None
        self._longest = longest
        self._reported: set[str] = set()
        self._answering: Any = iter(())
        self._last: tuple[str, bool, list[int]] | None = None

    def reply(self, text: str) -> Iterator[str]:
        """Returns an iterator over the pieces of the model's answer to a line.

        The answer belongs to the dialogue, as far as it was iterated over, when the iterator ends or is closed. Raises
        ValueError, and leaves the dialogue as it is, if the line is blank, or does not fit into the context.
        """
        getattr(self._answering, "close", lambda: None)()
        turns = [*self.turns, {"speaker": USER, "text": plain(text)}]
        if not turns[-1]["text"]:
            raise ValueError("the line is empty")
        first = self._fitting(turns)
        if first and not self.first:
            self.notes.append(
                f"the dialogue has become longer than the {self.context} tokens that the model reads; from now on it "
                "forgets the oldest turns"
            )
        new = [one for one in unknown_in(self.run.codec.target, text) if one not in self._reported]
        if new:
            self._reported.update(new)
            shown = " ".join(new[:20]) + (" ..." if len(new) > 20 else "")
            self.notes.append(f"not in the model's vocabulary, and read as unknown: {shown}")
        self.turns, self.first = turns, first
        self._answering = self._answer()
        return self._answering

    def looked(self, layer: str | None = None, head: int | None = None) -> "Looked":
        """Returns where the words of the last answer looked in the dialogue before it.

        layer, head: as in `inspection.by_words`; without both, those of `inspection.sharpest`. Raises ValueError if
        there is no answer, and no such layer or head.
        """
        if self._last is None or not (self.turns and self.turns[-1]["speaker"] == SYSTEM):
            raise ValueError("there is no attention to show: there is no answer")
        prompt, start, ids = self._last
        codec, marks = self.run.codec, frozenset(MARKS.values())
        inspected = inspection.inspect(self.run, prompt, ids, start=start)
        if layer is None and head is None:
            layer, head = inspection.sharpest(codec, inspected, marks)
        weights, history, answer = inspection.by_words(codec, inspected, layer, head, marks)
        # The tokens that ended the answer may have written the beginning of a mark.
        length = len(words_of(self.turns[-1]["text"]))
        return Looked(weights[:length], history, answer[:length], layer or inspected.layer, head)

    def _answer(self):
        """Yields the pieces of the answer to the last turn, and adds them to the dialogue."""
        # A dialogue whose beginning is forgotten continues as a window from the middle of a text, without START.
        prompt, start = prompt_of(self.turns[self.first :]), not self.first
        settings = {**self.settings, "start": start}
        number, self.reason = len(self.turns), None
        options: dict[str, Any] = {"seed": self.seed, "stop": self.stop, "width": self.room}
        stream = generation.stream(self.run, prompt, number=number, **options, **settings)
        said = ""
        try:
            for piece in stream:
                if stream.reason not in (
                    None,
                    "stop",
                ):  # the beginning of a mark is not shown, either
                    piece = piece[: len(piece) - beginning_of(MARKS.values(), stream.text)]
                piece = piece if said else piece.lstrip()
                said += piece
                if piece:
                    yield piece
            self.reason = stream.reason
            if self.reason == "length" and self._longest:
                self.notes.append(
                    f"answers end after {self._longest} tokens; max_length changes that"
                )
                self._longest = 0  # this is said once
        finally:
            if plain(said):
                self.turns.append({"speaker": SYSTEM, "text": plain(said)})
                self._last = prompt, start, stream.ids

    def _fitting(self, turns):
        """Returns the index of the first turn from which on all fit into the context, beside the answer."""
        line, most = self._length(turns[-1:]) - self._marks, self.room - self._marks
        if line > most:
            raise ValueError(
                f"the line has {line:,} tokens, and the model reads at most {most:,} of one line; shorten it"
            )
        fits = range(self.first, len(turns))
        return next(n for n in fits if self._length(turns[n:]) <= self.room)

    def _length(self, turns):
        """Returns the number of tokens that the model reads before it answers, START included."""
        (ids,) = self.run.codec.target.encode_ids([prompt_of(turns)])
        return len(ids) + 1


def unknown_in(tokenizer: Tokenizer, text: str) -> list[str]:
    """Returns the characters of a text that are not in the vocabulary, without repetitions; for "word", the words."""
    encoded = tokenizer.encode(text)
    unknown = [
        piece.replace(SPACE, "")
        for i, piece in zip(encoded.ids, encoded.pieces, strict=True)
        if i == UNKNOWN
    ]
    parts = unknown if KINDS[tokenizer.kind].joiner else "".join(unknown)
    return list(dict.fromkeys(part for part in parts if part.strip()))
