"""A run's folder: what training leaves behind, and what one can do with it.

config.json  source_tokenizer.json  target_tokenizer.json  checkpoints/  metrics.jsonl

run = attention_lab.load("runs/quickstart")
run.translate(["The cat sat on the mat"])[0].text
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.decoding import COARSE, FINE, Search, beam, in_batches
from attention_lab.evaluation.records import Record, make_record
from attention_lab.marks import END, PAD, START
from attention_lab.mechanism.contracts import Params
from attention_lab.models import Model, make_model
from attention_lab.models.base import look_up
from attention_lab.training.checkpoint import BEST, Checkpoints

Config = Mapping[str, Any]
END_PIECE = tokenizers.MARKS[END]


class Translation(NamedTuple):
    """One translation: its text, ids with END, score, whether it ended by itself, weights [H, Q, K]."""

    text: str
    ids: np.ndarray
    score: float
    ended: bool
    weights: dict[str, np.ndarray]


class Run(NamedTuple):
    """A trained model with all that belongs to it."""

    config: Config
    model: Model
    params: Params
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer

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
        """The beam's translations of each sentence, best first."""
        return self._search(sentences, None, weights, FINE, progress, search)

    def _search(self, sentences, most, weights, step, progress, search):
        """At most so many translations of each sentence."""
        chosen = search_of({**self.config["decoding"], **search})
        sources = with_end(self.source_tokenizer, sentences)
        there = [i for i, ids in enumerate(sources) if len(ids) > 1]
        found = in_batches(
            lambda batch: beam(self.model, self.params, batch, chosen, weights),
            [sources[i] for i in there],
            step=step,
            progress=progress,
        )
        blank = Translation("", np.array([END], np.int32), 0.0, True, {})
        results = [[blank] for _ in sentences]
        for i, hypotheses in zip(there, found, strict=True):
            results[i] = [
                self._translation(hypotheses, n, len(sources[i]))
                for n in range(chosen.beam)[:most]
                if np.isfinite(hypotheses.scores[n])
            ]
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
            [self.target_tokenizer.pieces[i] for i in translation.ids],
            translation.weights,
            source_words=sentence.split(),
            target_words=translation.text.split(),
            source_word_of=[*source.word_of, -1],
            target_word_of=_words_of(self.target_tokenizer, translation.ids),
            info={"model": self.model.name, "translation": translation.text, **info},
        )

    def places(self) -> list[str]:
        """Where the model attends: "cross/0", "encoder/2", ...; nothing is computed."""
        one = jax.ShapeDtypeStruct((1, 1), np.int32)
        return sorted(jax.eval_shape(partial(_forced, self.model), self.params, one, one))

    def forced_records(
        self, examples: Sequence[Mapping[str, Any]], progress: Callable[[int], Any] | None = None
    ) -> list[Record]:
        """Where the model looks while it is told the target of each example, with its words and links."""
        sides = [_Side(self.source_tokenizer, "source"), _Side(self.target_tokenizer, "target")]
        encoded = [[side.encode(example) for side in sides] for example in examples]
        ids = [[np.array([*e[s].ids, END], np.int32) for e in encoded] for s in (0, 1)]
        forced = partial(_forced, self.model, self.params)
        found = in_batches(forced, *ids, step=COARSE, progress=progress)
        return [
            make_record(
                [*source.pieces, END_PIECE],
                [*target.pieces, END_PIECE],
                {p: _trim(w, len(target.ids) + 1, len(source.ids) + 1, p) for p, w in all_.items()},
                source_words=sides[0].words(example),
                target_words=sides[1].words(example),
                source_word_of=[*source.word_of, -1],
                target_word_of=[*target.word_of, -1],
                links=example.get("links"),
                info={"model": self.model.name},
            )
            for example, (source, target), all_ in zip(examples, encoded, found, strict=True)
        ]


class _Side(NamedTuple):
    """One side of examples, with its tokenizer."""

    tokenizer: Tokenizer
    name: str

    def words(self, example):
        return example.get(f"{self.name}_words") or example[self.name].split()

    def encode(self, example):
        return self.tokenizer.encode(example[self.name], self.words(example))


def _words_of(tokenizer, ids):
    """The word of each id of a sentence that ends in END, −1 for marks: what is there once it is said."""
    said = [len(tokenizer.decode(ids[: t + 1]).split()) - 1 for t in range(len(ids))]
    return [
        -1 if i in (PAD, START, END) else max(word, 0) for i, word in zip(ids, said, strict=True)
    ]


@partial(jax.jit, static_argnums=0)
def _forced(model, params, source, target):
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
    """The ids of each sentence, END included: int32 [K]."""
    end = np.array([END], np.int32)
    return [np.concatenate([ids, end]) for ids in tokenizer.encode_ids(sentences)]


def model_of(config: Config, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer) -> Model:
    """The model that a config describes. Raises ValueError where it describes none."""
    options = {name: value for name, value in config["model"].items() if name != "kind"}
    sizes = len(source_tokenizer), len(target_tokenizer)
    return make_model(config["model"]["kind"], *sizes, **options)


def search_of(words: Config) -> Search:
    """The search that a config describes. Raises ValueError where a field does not exist."""
    for name in words:
        look_up("field of decoding", Search._fields, name)
    fields: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in words.items()}
    return Search(**fields)


def write(
    workdir: Path, config: Config, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer
) -> None:
    """All that `load` needs but the checkpoints.

    Raises ValueError where the folder holds a run of another config, naming the fields that differ.
    """
    if (workdir / "config.json").exists():
        differing = differences(_read(workdir / "config.json"), config)
        if differing:
            raise ValueError(
                f"{workdir} holds a run with another config ({', '.join(differing[:5])}); go on with "
                "that, or choose another folder: --workdir"
            )
    workdir.mkdir(parents=True, exist_ok=True)
    tokenizers.save(source_tokenizer, workdir / "source_tokenizer.json")
    tokenizers.save(target_tokenizer, workdir / "target_tokenizer.json")
    temporary = workdir / "config.tmp"
    temporary.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")
    temporary.replace(workdir / "config.json")


def load(workdir: str | Path) -> Run:
    """The run of a folder, with its best parameters.

    Raises ValueError where the folder holds none, or something damaged.
    """
    workdir = Path(workdir)
    path = workdir / "config.json"
    if not path.is_file():
        raise ValueError(
            f"{workdir} holds no run (there is no config.json in it); train one with "
            f"python -m experiments.train --workdir={workdir}"
        )
    config = _read(path)
    source = tokenizers.load(workdir / "source_tokenizer.json")
    target = tokenizers.load(workdir / "target_tokenizer.json")
    model = model_of(config, source, target)
    like = jax.eval_shape(model.init, jax.random.key(0))
    params = Checkpoints(workdir / "checkpoints").restore(BEST, like)
    return Run(config, model, jax.tree.map(jnp.asarray, params), source, target)


def differences(old: Config, new: Config, place: str = "") -> list[str]:
    """The fields in which two configs differ, as "model.hidden: 16, now 18"."""
    found = []
    for name in dict.fromkeys([*old, *new]):
        a, b = old.get(name), new.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{place}{name}.")
        elif a != b:
            found.append(f"{place}{name}: {a}, now {b}")
    return found


def _read(path):
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
