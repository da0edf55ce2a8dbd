"""How good parameters are while they are trained: BLEU and perplexity of the first validation examples."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import numpy as np

from attention_lab.data.tokenizer import Tokenizer
from attention_lab.decoding import Search
from attention_lab.evaluation.quality import bleu
from attention_lab.mechanism.contracts import Params
from attention_lab.models import Model
from attention_lab.models.base import Limits
from attention_lab.runs.run import search_of, with_end
from attention_lab.runs.setup import Corpus
from attention_lab.runs.together import decode_together, for_all
from attention_lab.training.objectives import cross_entropy
from attention_lab.training.replicas import Layout, spread


class Judged(NamedTuple):
    """The validation sentences, as ids with END, and what a translation is compared with."""

    sources: dict[int, np.ndarray]  # that the model can read, by their place among all
    pairs: tuple[list[np.ndarray], list[np.ndarray]]  # sources and targets, where it can read both
    references: list[str]
    target_tokenizer: Tokenizer
    limits: Limits
    tokenize: str  # how, for BLEU
    greedy: Search  # how to translate them

    def texts(self, said: Iterable[np.ndarray]) -> list[str]:
        """A translation of each sentence, of what was said to the sources; empty where the model cannot read it."""
        texts = dict(zip(self.sources, map(self.target_tokenizer.decode, said), strict=True))
        return [texts.get(place, "") for place in range(len(self.references))]


def judged_on(config: Any, corpus: Corpus, model: Model) -> Judged:
    """The first validation sentences, as many as the config says. Raises ValueError where the model can read none."""
    examples = corpus.validation[: config["training"]["validation_sentences"]]
    sources = with_end(corpus.source_tokenizer, (e["source"] for e in examples))
    targets = with_end(corpus.target_tokenizer, (e["target"] for e in examples))
    limits = model.limits(jax.eval_shape(model.init, jax.random.key(0)))
    pairs = list(zip(sources, targets, strict=True))
    kept = [pair for pair in pairs if not limits.refusal(*pair)]
    if not kept:
        raise ValueError(
            f"none of {len(pairs)} validation pairs can be read: the first has {limits.refusal(*pairs[0])}; raise "
            "model.encoder.positions or model.decoder.positions"
        )
    return Judged(
        {place: ids for place, ids in enumerate(sources) if not limits.refusal(ids)},
        ([source for source, _ in kept], [target for _, target in kept]),
        [e["target"] for e in examples],
        corpus.target_tokenizer,
        limits,
        config["data"]["bleu_tokenize"],
        search_of({**config["decoding"], "beam": 1, "coverage_penalty": 0.0}),
    )


def make_judge(
    model: Model, given: Judged, layout: Layout
) -> Callable[[Params], dict[str, np.ndarray]]:
    """params [S, ..] -> {"bleu": [S], "perplexity": [S]} on the first validation sentences, greedily decoded."""
    decode = functools.partial(decode_together, model, given.greedy, layout)
    count = jax.jit(spread(functools.partial(nats, model), layout))

    def judge(params):
        replicas = len(jax.tree.leaves(params)[0])
        batched = functools.partial(for_all, limits=given.limits)
        found = batched(functools.partial(decode, params), replicas, list(given.sources.values()))
        said = [given.texts(one.tokens[r, 0] for one in found) for r in range(replicas)]
        scores = [bleu(texts, given.references, given.tokenize).score for texts in said]
        lost = batched(functools.partial(count, params), replicas, *given.pairs)
        tokens = sum(map(len, given.pairs[1]))
        return {"bleu": np.array(scores), "perplexity": np.exp(np.sum(lost, axis=0) / tokens)}

    return judge


@functools.partial(jax.jit, static_argnums=0)
def nats(model: Model, params: Params, source: Any, target: Any) -> Any:
    """−log p(target) of each sentence [B], of sources and targets [B, K] and [B, T]."""

    def one(source, target):
        logits = model.apply(params, {"source": source, "target": target}).logits
        losses = cross_entropy(logits, target.values, 0.0)
        return jax.numpy.where(target.valid, losses, 0).sum()

    return jax.vmap(one)(source, target)
