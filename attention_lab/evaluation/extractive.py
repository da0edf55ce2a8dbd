"""Summaries that are sentences of the source: what any summarizer of texts is compared with.

scorer = rouge_scorer.RougeScorer(["rouge1"])
[lead(example) for example in examples]                                                # the first sentence
[oracle(example, lambda s, t: scorer.score(t, s)["rouge1"].fmeasure) for example in examples]      # the best one
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attention_lab.data.sentences import sentences_of


def lead(example: Mapping[str, Any], count: int = 1) -> str:
    """Returns the first sentences of the source, which have words."""
    return " ".join([s for s in sentences_of(example) if s][:count])


def oracle(example: Mapping[str, Any], score: Callable[[str, str], float]) -> str:
    """Returns the sentence of the source with the highest score(sentence, target) for any target, the first on a tie.

    No summary of one sentence of the source has a higher score, so that this is the limit of those that choose one.
    """
    targets: Sequence[str] = example.get("targets") or [example["target"]]
    sentences = [s for s in sentences_of(example) if s]
    return max(sentences, key=lambda sentence: max(score(sentence, t) for t in targets))


def labelled(example: Mapping[str, Any]) -> str:
    """Returns the sentences of the source that the corpus calls "supporting"."""
    sentences = sentences_of(example)
    return " ".join(sentences[index] for index in example["supporting"])
