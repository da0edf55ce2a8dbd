"""Trained models with all that belongs to them: what they translate, and where they attend.

`Runs` computes, for any number of runs that differ in parameters alone, side by side on the replica axis; a `Run` is
the case of one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from attention_lab.data.vocabularies import Codec
from attention_lab.decoding import COARSE, FINE, Hypotheses, Search, checked, decode, in_batches
from attention_lab.evaluation.records import Record
from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models import Model
from attention_lab.models.base import Limits, look_up
from attention_lab.padded import Padded
from attention_lab.runs import outputs
from attention_lab.runs.outputs import Translation
from attention_lab.training import replicas
from attention_lab.training.objectives import cross_entropy
from attention_lab.training.replicas import Layout, spread, take

Config = Mapping[str, Any]
Progress = Callable[[int], Any] | None


class TeacherForced(NamedTuple):
    """A model under teacher forcing: [N, 2] of −log p(target) and target tokens, and records with weights.

    Of an example that the model cannot read, the losses are 0 and 0. records: none where they were not asked for.
    """

    losses: np.ndarray
    records: list[Record]


class Run(NamedTuple):
    """A trained model with all that belongs to it. data: the digest of each split on which it was trained."""

    config: Config
    model: Model
    params: Params
    codec: Codec
    data: Mapping[str, str] = MappingProxyType({})

    def translate(
        self,
        sentences: Sequence[str],
        *,
        weights: bool = False,
        step: int = FINE,
        progress: Progress = None,
        **search: Any,
    ) -> list[Translation]:
        """The best translation of each sentence; a blank one stays blank.

        step: as in `in_batches`; a larger one compiles less. search: fields of `Search`.
        """
        one = Runs.of([self])
        return one.translate(sentences, weights=weights, step=step, progress=progress, **search)[0]

    def n_best(
        self,
        sentences: Sequence[str],
        *,
        weights: bool = False,
        progress: Progress = None,
        **search: Any,
    ) -> list[list[Translation]]:
        """The beam's translations of each sentence, best first, all of them settled unless `n_best` asks for fewer."""
        beam = search.get("beam", self.config["decoding"]["beam"])
        chosen = {"n_best": beam, **search}
        return Runs.of([self]).search(sentences, None, weights, FINE, progress, chosen)[0]

    def teacher_forced(
        self,
        examples: Sequence[Mapping[str, Any]],
        *,
        weights: bool = True,
        progress: Progress = None,
    ) -> TeacherForced:
        """The model on the given targets: how likely they are, and where it attends."""
        return Runs.of([self]).teacher_forced(examples, weights=weights, progress=progress)[0]

    def record(self, sentence: str, translation: Translation, **info: Any) -> Record:
        """Where the model attended while it produced a translation (made with weights=True)."""
        return outputs.record_of(self.codec, sentence, translation, model=self.model.name, **info)

    def attention_layers(self) -> list[str]:
        """Where the model attends: "cross/0", "encoder/2", ...; nothing is computed."""
        return Runs.of([self]).attention_layers()


class Runs(NamedTuple):
    """Runs that differ in parameters alone, as seeds do, side by side.

    params: [S, ..]. asked: how many of S are reported; the others fill devices, of which each has equally many.
    """

    config: Config
    model: Model
    params: Params
    codec: Codec
    asked: int
    layout: Layout = Layout()

    @classmethod
    def of(cls, runs: Sequence[Run], layout: Layout = Layout()) -> "Runs":
        """The runs on the devices of a layout."""
        first, params = runs[0], [run.params for run in runs]
        filler = params[-1:] * (layout.slots(len(runs)) - len(runs))
        stacked = replicas.place(replicas.stack(params + filler), layout)
        return cls(first.config, first.model, stacked, first.codec, len(runs), layout)

    @property
    def limits(self) -> Limits:
        """The most tokens that the model can read."""
        return self.model.limits(self._shapes())

    def translate(
        self,
        sentences: Sequence[str],
        *,
        weights: bool = False,
        step: int = FINE,
        progress: Progress = None,
        **search: Any,
    ) -> list[list[Translation]]:
        """`Run.translate` of each run."""
        hypotheses = self.search(sentences, 1, weights, step, progress, search)
        return [[best for (best,) in own] for own in hypotheses]

    def search(
        self,
        sentences: Sequence[str],
        most: int | None,
        weights: bool,
        step: int,
        progress: Progress,
        search: Mapping[str, Any],
    ) -> list[list[list[Translation]]]:
        """Of each run, at most so many translations of each sentence."""
        chosen = search_of({**self.config["decoding"], **search})
        sources, limits = outputs.with_end(self.codec.source, sentences), self.limits
        function = partial(_decoded, self.model, chosen, self.layout, weights)
        result = self._in_batches(function, [outputs.readable(sources, limits)], step, progress)
        spelled = partial(outputs.translations, self.codec.target, limits, sources)
        return [spelled(own, most) for own in result]

    def teacher_forced(
        self,
        examples: Sequence[Mapping[str, Any]],
        *,
        weights: bool = True,
        progress: Progress = None,
    ) -> list[TeacherForced]:
        """`Run.teacher_forced` of each run."""
        encoded = outputs.encode(self.codec, self.limits, examples)
        read = [n for n, one in enumerate(encoded) if not one.refused]
        columns = [[encoded[n].source for n in read], [encoded[n].target for n in read]]
        function = partial(_teacher_forced, self.model, self.layout, weights)
        results = []
        for own in self._in_batches(function, columns, COARSE, progress):
            losses = np.zeros((len(examples), 2))
            if read:
                losses[read] = [
                    (loss, len(encoded[n].target)) for n, (loss, _) in zip(read, own, strict=True)
                ]
            records = []
            if weights:
                result = [one for _, one in own]
                name = self.model.name
                records = outputs.records_of(examples, encoded, result, self._heads(), model=name)
            results.append(TeacherForced(losses, records))
        return results

    def attention_layers(self) -> list[str]:
        """Where the models attend: "cross/0", "encoder/2", ...; nothing is computed."""
        return sorted(self._heads())

    def _heads(self):
        """How many heads the model has at each layer."""
        one = Padded(*(jax.ShapeDtypeStruct((1, 1), kind) for kind in (np.int32, bool)))
        _, shapes = jax.eval_shape(
            partial(teacher_forced, self.model, True), self._shapes(), one, one
        )
        return {layer: shape.shape[1] for layer, shape in shapes.items()}

    def _shapes(self):
        """The shapes of one run's parameters."""
        return jax.eval_shape(partial(take, replica=0), self.params)

    def _in_batches(self, function, columns, step, progress):
        """Of each run, answer(params [S, ..], *batches [S, B, ..]) by sentence."""
        size = len(jax.tree.leaves(self.params)[0])

        def by_sentence(*batch):
            each = jax.tree.map(lambda x: np.broadcast_to(x, (size, *x.shape)), batch)
            result = function(self.params, *each)
            return jax.tree.map(lambda x: np.moveaxis(np.asarray(x), 0, 1), result)

        options: Any = {"step": step, "limits": self.limits, "progress": progress}
        result = in_batches(by_sentence, *columns, **options)
        return [[take(one, number) for one in result] for number in range(self.asked)]


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _decoded(
    model: Model, search: Search, layout: Layout, weights: bool, params: Params, source: Any
) -> Hypotheses:
    """`decode` of each run: params [S, ..], sources [S, B, K]."""
    return spread(lambda params, source: decode(model, params, source, search, weights), layout)(
        params, source
    )


@partial(jax.jit, static_argnums=(0, 1, 2))
def _teacher_forced(model, layout, weights, params, source, target):
    return spread(partial(teacher_forced, model, weights), layout)(params, source, target)


def teacher_forced(
    model: Model, weights: bool, params: Params, source: Padded, target: Padded
) -> tuple[Array, dict[str, Array]]:
    """−log p(target) [B] of sources [B, K] and targets [B, T], and by layer the weights [B, H, Q, K]."""

    def one(source, target):
        example = {"source": source, "target": target}
        output = model.apply(params, example, weights=weights)
        losses = cross_entropy(output.logits, target.values, 0.0)
        return jax.numpy.where(target.valid, losses, 0).sum(), output.weights or {}

    return jax.vmap(one)(source, target)


def search_of(words: Config) -> Search:
    """The search that a config describes. Raises ValueError where a field does not exist, or its value cannot be."""
    for name in words:
        look_up("field of decoding", Search._fields, name)
    fields: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in words.items()}
    return checked(Search(**fields))
