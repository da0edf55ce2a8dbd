"""Runs that differ in parameters alone, translating side by side, as replicas are trained."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from attention_lab.decoding import COARSE, FINE, Hypotheses, Search, decode, in_batches
from attention_lab.evaluation.records import Record
from attention_lab.mechanism.contracts import Params
from attention_lab.models import Model
from attention_lab.models.base import Limits
from attention_lab.runs.run import Run, Translation, forced_weights, search_of, with_end
from attention_lab.training.replicas import Layout, place, spread, stack, take


class Runs(NamedTuple):
    """Runs that differ in parameters alone, as seeds do, which translate side by side."""

    each: tuple[Run, ...]
    layout: Layout

    def translate(
        self,
        sentences: Sequence[str],
        *,
        step: int = FINE,
        progress: Callable[[int], Any] | None = None,
        **search: Any,
    ) -> list[list[Translation]]:
        """`Run.translate` of each run."""
        one = self.each[0]
        chosen = search_of({**one.config["decoding"], **search})
        sources = with_end(one.source_tokenizer, sentences)
        answer = partial(decode_together, one.model, chosen, self.layout)
        found = self._in_batches(answer, [one.readable(sources)], step, progress)
        return [
            [best for (best,) in run.spelled(sources, mine, 1)]
            for run, mine in zip(self.each, found, strict=True)
        ]

    def forced_records(
        self, examples: Sequence[Mapping[str, Any]], progress: Callable[[int], Any] | None = None
    ) -> list[list[Record]]:
        """`Run.forced_records` of each run."""
        one = self.each[0]
        encoded, ids = one.encoded(examples)
        answer = partial(_all_forced, one.model, self.layout)
        found = self._in_batches(answer, ids, COARSE, progress)
        return [
            run.recorded(examples, encoded, mine)
            for run, mine in zip(self.each, found, strict=True)
        ]

    def _in_batches(self, answer, columns, step, progress):
        """For each run, its part of what answer(params [S, ..], *batches [S, B, ..]) says, by sentence."""
        each = [run.params for run in self.each]
        room = self.layout.room(len(each))
        filler = each[-1:] * (room - len(each))  # every device has equally many
        params = place(stack(each + filler), self.layout)
        given = {"step": step, "limits": self.each[0].limits, "progress": progress}
        found = for_all(partial(answer, params), room, *columns, **given)
        return [[take(one, number) for one in found] for number in range(len(each))]


def for_all(
    answer: Callable[..., Any],
    count: int,
    *columns: Sequence[np.ndarray],
    step: int = COARSE,
    limits: Limits = Limits(),
    progress: Callable[[int], Any] | None = None,
) -> list[Any]:
    """For each sentence, what all replicas make of it: [S, ..].

    answer: batches [S, B, ..] of each column, alike for all S = count replicas -> a tree [S, B, ..]. The
    rest as in `in_batches`.
    """

    def by_sentence(*batch):
        each = jax.tree.map(lambda x: np.broadcast_to(x, (count, *x.shape)), batch)
        found = answer(*each)
        return jax.tree.map(lambda x: np.moveaxis(np.asarray(x), 0, 1), found)

    return in_batches(by_sentence, *columns, step=step, limits=limits, progress=progress)


@partial(jax.jit, static_argnums=(0, 1, 2))
def decode_together(
    model: Model, search: Search, layout: Layout, params: Params, source: Any
) -> Hypotheses:
    """`decode` of each replica: params [S, ..], sources [S, B, K]."""
    return spread(lambda params, source: decode(model, params, source, search), layout)(
        params, source
    )


@partial(jax.jit, static_argnums=(0, 1))
def _all_forced(model, layout, params, source, target):
    return spread(partial(forced_weights, model), layout)(params, source, target)
