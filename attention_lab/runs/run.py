"""A trained model with all that belongs to it: what it translates, and where it looks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.words import words_in, words_of
from attention_lab.decoding import COARSE, FINE, Search, checked, decode, in_batches
from attention_lab.evaluation.records import Record, make_record
from attention_lab.marks import END, PAD, START
from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models import Model
from attention_lab.models.base import Limits, look_up
from attention_lab.padded import Padded

Config = Mapping[str, Any]
END_PIECE = tokenizers.MARKS[END]


class Translation(NamedTuple):
    """One translation: its text, ids with END, score, whether it ended by itself, weights [H, Q, K].

    refused: why there is none, where there is none; the text is then empty.
    """

    text: str
    ids: np.ndarray
    score: float
    ended: bool
    weights: dict[str, np.ndarray]
    refused: str | None = None


class Run(NamedTuple):
    """A trained model with all that belongs to it. data: the digest of each split on which it was trained."""

    config: Config
    model: Model
    params: Params
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    data: Mapping[str, str] = MappingProxyType({})

    def translate(
        self,
        sentences: Sequence[str],
        *,
        weights: bool = False,
        step: int = FINE,
        progress: Callable[[int], Any] | None = None,
        **search: Any,
    ) -> list[Translation]:
        """The best translation of each sentence; a blank one stays blank.

        step: as in `in_batches`; a larger one compiles less. search: fields of `Search`.
        """
        found = self._search(sentences, 1, weights, step, progress, search)
        return [best[0] for best in found]

    def n_best(
        self,
        sentences: Sequence[str],
        *,
        weights: bool = False,
        progress: Callable[[int], Any] | None = None,
        **search: Any,
    ) -> list[list[Translation]]:
        """The beam's translations of each sentence, best first, all of them settled unless `n_best` asks for fewer."""
        beam = search.get("beam", self.config["decoding"]["beam"])
        settled = {"n_best": beam, **search}
        return self._search(sentences, None, weights, FINE, progress, settled)

    def _search(self, sentences, most, weights, step, progress, search):
        """At most so many translations of each sentence."""
        chosen = search_of({**self.config["decoding"], **search})
        sources = with_end(self.source_tokenizer, sentences)
        found = in_batches(
            lambda batch: decode(self.model, self.params, batch, chosen, weights),
            self.readable(sources),
            step=step,
            limits=self.limits,
            progress=progress,
        )
        return self.spelled(sources, found, most)

    @property
    def limits(self) -> Limits:
        """The most tokens that the model can read."""
        return self.model.limits(self.params)

    def readable(self, sources: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Those that have more than END, and that the model can read."""
        return [ids for ids in sources if len(ids) > 1 and not self.limits.refusal(ids)]

    def spelled(
        self, sources: Sequence[np.ndarray], found: Sequence[Any], most: int | None
    ) -> list[list[Translation]]:
        """At least one and at most so many translations of each source; found: the hypotheses of the `readable`."""
        blank = Translation("", np.array([END], np.int32), 0.0, True, {})
        left = iter(found)
        results = []
        for ids in sources:
            if len(ids) == 1:
                results.append([blank])
                continue
            if why := self.limits.refusal(ids):
                results.append([blank._replace(score=-np.inf, ended=False, refused=why)])
                continue
            hypotheses = next(left)
            there = np.flatnonzero(np.isfinite(hypotheses.scores))[:most]
            nothing = "the model finds no sentence likely; its parameters may not be finite"
            results.append(
                [self._translation(hypotheses, n, len(ids)) for n in there]
                or [blank._replace(score=-np.inf, ended=False, refused=nothing)]
            )
        return results

    def _translation(self, hypotheses, n, length):
        ids = hypotheses.tokens[n][hypotheses.tokens[n] != PAD]
        weights = {
            place: _trim(steps[n].swapaxes(0, 1), len(ids), length, place)
            for place, steps in (hypotheses.weights or {}).items()
        }
        return Translation(
            self.target_tokenizer.decode(ids),
            ids,
            float(hypotheses.scores[n]),
            bool(hypotheses.ended[n]),
            weights,
        )

    def record(self, sentence: str, translation: Translation, **info: Any) -> Record:
        """What attention said while it found a translation (made with weights=True)."""
        source = self.source_tokenizer.encode(sentence)
        return make_record(
            [*source.pieces, END_PIECE],
            [tokenizers.read(self.target_tokenizer.pieces[i]) for i in translation.ids],
            translation.weights,
            source_words=words_of(sentence),
            target_words=words_of(translation.text),
            source_word_of=[*source.word_of, -1],
            target_word_of=_words_of(self.target_tokenizer, translation.ids),
            info={"model": self.model.name, "translation": translation.text, **info},
        )

    def places(self) -> list[str]:
        """Where the model attends: "cross/0", "encoder/2", ...; nothing is computed."""
        return sorted(self._heads())

    def _heads(self):
        """How many heads the model has at each place."""
        one = Padded(*(jax.ShapeDtypeStruct((1, 1), kind) for kind in (np.int32, bool)))
        shapes = jax.eval_shape(partial(forced_weights, self.model), self.params, one, one)
        return {place: shape.shape[1] for place, shape in shapes.items()}

    def forced_records(
        self, examples: Sequence[Mapping[str, Any]], progress: Callable[[int], Any] | None = None
    ) -> list[Record]:
        """Where the model looks while it is told the target of each example, with its words and links.

        It looks nowhere, all weights are 0, in one that it cannot read, and info["refused"] says why.
        """
        encoded, ids = self.encoded(examples)
        answer = partial(forced_weights, self.model, self.params)
        found = in_batches(answer, *ids, step=COARSE, limits=self.limits, progress=progress)
        return self.recorded(examples, encoded, found)

    def _sides(self):
        return _Side(self.source_tokenizer, "source"), _Side(self.target_tokenizer, "target")

    def encoded(self, examples: Sequence[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
        """Each example's sides, encoded, and why the model cannot read them; ids [K] of those that it can, by side."""
        encoded: list[Any] = []
        columns: list[Any] = [[], []]
        for example in examples:
            sides = [side.encode(example) for side in self._sides()]
            both = [np.array([*side.ids, END], np.int32) for side in sides]
            refused = self.limits.refusal(*both)
            encoded.append((*sides, refused))
            for column, ids in zip(columns, both, strict=True):
                column += [] if refused else [ids]
        return encoded, columns

    def recorded(
        self, examples: Sequence[Mapping[str, Any]], encoded: Sequence[Any], found: Sequence[Any]
    ) -> list[Record]:
        """A record of each example; found: of those that the model can read, the `forced_weights`."""
        sides, left = self._sides(), iter(found)
        heads = self._heads() if any(refused for *_, refused in encoded) else {}

        def weights(queries, keys, refused):
            longest = max(queries, keys)
            nowhere = {p: np.broadcast_to(0.0, (n, longest, longest)) for p, n in heads.items()}
            all_ = nowhere if refused else next(left)
            return {place: _trim(each, queries, keys, place) for place, each in all_.items()}

        return [
            make_record(
                [*source.pieces, END_PIECE],
                [*target.pieces, END_PIECE],
                weights(len(target.ids) + 1, len(source.ids) + 1, refused),
                source_words=sides[0].words(example),
                target_words=sides[1].words(example),
                source_word_of=[*source.word_of, -1],
                target_word_of=[*target.word_of, -1],
                links=example.get("links"),
                info={"model": self.model.name} | ({"refused": refused} if refused else {}),
            )
            for example, (source, target, refused) in zip(examples, encoded, strict=True)
        ]


class _Side(NamedTuple):
    """One side of examples, with its tokenizer."""

    tokenizer: Tokenizer
    name: str

    def words(self, example):
        return words_in(example, self.name)

    def encode(self, example):
        return self.tokenizer.encode(example[self.name], self.words(example))


def _words_of(tokenizer, ids):
    """The word of each id of a sentence that ends in END, −1 for marks: what is there once it is said."""
    said = [len(words_of(tokenizer.decode(ids[:t]))) for t in range(len(ids) + 1)]
    # Of several words in one piece, the first: so has the source.
    return [
        -1 if i in (PAD, START, END) else max(min(before, after - 1), 0)
        for i, before, after in zip(ids, said[:-1], said[1:], strict=True)
    ]


@partial(jax.jit, static_argnums=0)
def forced_weights(
    model: Model, params: Params, source: Padded, target: Padded
) -> dict[str, Array]:
    """By place, the weights [B, H, Q, K] of sources [B, K] when the model is told targets [B, T]."""

    def one(source, target):
        return model.apply(params, {"source": source, "target": target}, weights=True).weights

    return jax.vmap(one)(source, target)


def _trim(matrix, queries, keys, place):
    """The part of [H, Q, K] that is not padding."""
    room = place.split("/")[0]
    rows = keys if room == "encoder" else queries
    columns = queries if room == "decoder" else keys
    return matrix[:, :rows, :columns]


def with_end(tokenizer: Tokenizer, sentences: Iterable[str]) -> list[np.ndarray]:
    """The ids of each sentence, END included: int32 [K]. Raises ValueError where they are one string."""
    if isinstance(sentences, str):
        raise ValueError(
            f"sentences are many strings, and one was given, {sentences!r:.60}; put it in a list"
        )
    end = np.array([END], np.int32)
    return [np.concatenate([ids, end]) for ids in tokenizer.encode_ids(sentences)]


def search_of(words: Config) -> Search:
    """The search that a config describes. Raises ValueError where a field does not exist, or its value cannot be."""
    for name in words:
        look_up("field of decoding", Search._fields, name)
    fields: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in words.items()}
    return checked(Search(**fields))
