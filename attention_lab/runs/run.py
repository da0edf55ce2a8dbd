"""Trained models with their tokenizers: translation, teacher forcing and attention weights.

`Runs` computes for any number of runs that differ only in parameters, stacked on the replica axis; `Run` is the case
of one run.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from attention_lab.data.vocabularies import Codec
from attention_lab.decoding import (
    COARSE,
    FINE,
    Hypotheses,
    Search,
    decode,
    in_batches,
)
from attention_lab.evaluation.records import Record, sides
from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models import Model
from attention_lab.models.base import Limits
from attention_lab.padded import Padded
from attention_lab.runs import outputs
from attention_lab.runs.outputs import Translation
from attention_lab.runs.settings import decoding_of, search_of
from attention_lab.training import replicas
from attention_lab.training.objectives import cross_entropy
from attention_lab.training.replicas import Layout, spread, take

Config = Mapping[str, Any]
Progress = Callable[[int], Any] | None


class TeacherForced(NamedTuple):
    """The results of a model under teacher forcing.

    losses: [N, 2], −log p(target) in nats and the number of target tokens; 0 and 0 if the model cannot read the
    example. records: the attention weights of each example; empty if they were not requested.
    """

    losses: np.ndarray
    records: list[Record]


class Run(NamedTuple):
    """A trained model with its config, parameters and tokenizers.

    data: the digests of the dataset's splits at training time.
    """

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
        """Returns the best translation of each sentence; that of a blank sentence is blank.

        weights: whether translations contain attention weights. step: as in `in_batches`; a larger one compiles
        fewer programs. progress: is called with the number of newly finished sentences. search: fields of `Search`,
        by default those of the config.
        """
        stacked = Runs.of([self])
        return stacked.translate(
            sentences, weights=weights, step=step, progress=progress, **search
        )[0]

    def n_best(
        self,
        sentences: Sequence[str],
        *,
        weights: bool = False,
        progress: Progress = None,
        **search: Any,
    ) -> list[list[Translation]]:
        """Returns the translations of each sentence in the final beam, best first.

        The options are those of `translate`. All translations are final unless `n_best` is less than the beam.
        """
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
        """Applies the model to given targets (teacher forcing): returns their losses and the attention weights.

        weights: whether records are returned. progress: is called with the number of newly finished examples.
        """
        return Runs.of([self]).teacher_forced(examples, weights=weights, progress=progress)[0]

    def record(self, source: Any, translation: Translation, **info: Any) -> Record:
        """Returns the record of the attention weights of a translation that was computed with weights=True."""
        limits = self.model.limits(self.params)
        return outputs.record_of(
            self.codec, limits, source, translation, model=self.model.name, **info
        )

    def attention_layers(self) -> list[str]:
        """Returns the names of the model's attention layers, "cross/0", "encoder/2", ..., from shapes alone."""
        return Runs.of([self]).attention_layers()


class Runs(NamedTuple):
    """Runs that differ only in parameters, as seeds do, stacked on the replica axis.

    params: [S, ..]. reported: the number of replicas for which results are returned; the others are copies, since
    every device has the same number of replicas. layout: the distribution of replicas over devices.
    """

    config: Config
    model: Model
    params: Params
    codec: Codec
    reported: int
    layout: Layout = Layout()

    @classmethod
    def of(cls, runs: Sequence[Run], layout: Layout = Layout()) -> "Runs":
        """Stacks runs and places them on the devices of a layout."""
        first, params = runs[0], [run.params for run in runs]
        filler = params[-1:] * (layout.slots(len(runs)) - len(runs))
        stacked = replicas.place(replicas.stack(params + filler), layout)
        return cls(first.config, first.model, stacked, first.codec, len(runs), layout)

    @property
    def limits(self) -> Limits:
        """The maximum number of source tokens and of target tokens that the model can read."""
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
        """Returns the result of `Run.translate` for each run."""
        hypotheses = self.search(sentences, 1, weights, step, progress, search)
        return [[best for (best,) in own] for own in hypotheses]

    def search(
        self,
        sentences: Sequence[str],
        maximum: int | None,
        weights: bool,
        step: int,
        progress: Progress,
        search: Mapping[str, Any],
    ) -> list[list[list[Translation]]]:
        """Returns, for each run and sentence, at most `maximum` translations, best first; None: the whole beam.

        The other parameters are those of `Run.translate`.
        """
        chosen = search_of({**decoding_of(self.config), **search})
        sources, limits = self.codec.source.arrays(sentences), self.limits
        function = partial(_decoded, self.model, chosen, self.layout, weights)
        readable = outputs.readable(sources, limits)
        by_run = self._in_batches(function, [readable], step, progress)
        translations = partial(outputs.translations, self.codec.target, limits, sources)
        return [translations(hypotheses, maximum) for hypotheses in by_run]

    def teacher_forced(
        self,
        examples: Sequence[Mapping[str, Any]],
        *,
        weights: bool = True,
        layers: Callable[[str], bool] = outputs.every_layer,
        progress: Progress = None,
    ) -> list[TeacherForced]:
        """Returns the result of `Run.teacher_forced` for each run. layers: whether records have a layer of that name."""
        encoded = outputs.encode(self.codec, self.limits, examples)
        readable = [n for n, one in enumerate(encoded) if not one.refused]
        columns = [
            [getattr(encoded[n], name) for n in readable] for name in ("source", "target", "inputs")
        ]
        function = partial(_teacher_forced, self.model, self.layout, weights, layers)
        heads = {layer: number for layer, number in self._heads().items() if layers(layer)}
        results = []
        for own in self._in_batches(function, columns, COARSE, progress):
            losses = np.zeros((len(examples), 2))
            if readable:
                losses[readable] = [
                    (loss, len(encoded[n].target))
                    for n, (loss, _) in zip(readable, own, strict=True)
                ]
            records = []
            if weights:
                by_example = [layers for _, layers in own]
                name = self.model.name
                records = outputs.records_of(examples, encoded, by_example, heads, model=name)
            results.append(TeacherForced(losses, records))
        return results

    def attention_layers(self) -> list[str]:
        """Returns the names of the models' attention layers, "cross/0", "encoder/2", ..., from shapes alone."""
        return sorted(self._heads())

    def record_bytes(self, examples: Sequence[Mapping[str, Any]]) -> int:
        """Returns the bytes of the attention weights in the records of examples, of all runs together."""
        total, number_of = 0, self._heads()
        for one in outputs.encode(self.codec, self.limits, examples):
            length = {"source": math.prod(one.states), "target": len(one.target)}
            for layer, heads in number_of.items():
                queries, keys = sides(layer)
                total += 4 * heads * length[queries] * length[keys]
        return total * self.reported

    def _heads(self):
        """Returns the number of heads of each attention layer."""
        source = jax.tree.map(lambda x: x[None], self.model.blank())
        one = Padded(*(jax.ShapeDtypeStruct((1, 1), dtype) for dtype in (np.int32, bool)))
        _, shapes = jax.eval_shape(
            partial(teacher_forced, self.model, True, outputs.every_layer),
            *(self._shapes(), source, one, one),
        )
        return {layer: shape.shape[1] for layer, shape in shapes.items()}

    def _shapes(self):
        """Returns the shapes of one run's parameters."""
        return jax.eval_shape(partial(take, replica=0), self.params)

    def _in_batches(self, function, columns, step, progress):
        """Returns, for each run, the list of results of function(params [S, ..], *batches [S, B, ..]) by sentence."""
        size = len(jax.tree.leaves(self.params)[0])

        def by_sentence(*batch):
            replicated = jax.tree.map(lambda x: np.broadcast_to(x, (size, *x.shape)), batch)
            outputs_of_batch = function(self.params, *replicated)
            return jax.tree.map(lambda x: np.moveaxis(np.asarray(x), 0, 1), outputs_of_batch)

        options: Any = {"step": step, "limits": self.limits, "progress": progress}
        by_example = in_batches(by_sentence, *columns, **options)
        return [[take(one, number) for one in by_example] for number in range(self.reported)]


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _decoded(
    model: Model, search: Search, layout: Layout, weights: bool, params: Params, source: Any
) -> Hypotheses:
    """Applies `decode` to each run: params [S, ..], sources [S, B, K]."""
    return spread(lambda params, source: decode(model, params, source, search, weights), layout)(
        params, source
    )


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _teacher_forced(model, layout, weights, layers, params, *batch):
    return spread(partial(teacher_forced, model, weights, layers), layout)(params, *batch)


def teacher_forced(
    model: Model,
    weights: bool,
    layers: Callable[[str], bool],
    params: Params,
    source: Padded,
    target: Padded,
    inputs: Padded,
) -> tuple[Array, dict[str, Array]]:
    """Returns −log p(target) [B] of sources [B, K] and targets [B, T], and by layer the weights [B, H, Q, K].

    layers: whether the weights of a layer of that name are returned. inputs: what the decoder reads at each position,
    [B, T].
    """

    def one(source, target, inputs):
        example = {"source": source, "target": target, "inputs": inputs.values}
        output = model.apply(params, example, weights=weights)
        losses = cross_entropy(output.logits, target.values, 0.0)
        seen = {layer: one for layer, one in (output.weights or {}).items() if layers(layer)}
        return jax.numpy.where(target.valid, losses, 0).sum(), seen

    return jax.vmap(one)(source, target, inputs)
