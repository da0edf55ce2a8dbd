"""What is reached without a model, beside which the scores of models stand: counting, and sentences of the source.

summarization(train, test)[0]                               # ("first sentence", {"ROUGE-1": 28.3, ..})
outputs = [lead(example) for example in test]               # for a metric of your own
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import log
from types import MappingProxyType
from typing import Any

from attention_lab.data.sentences import sentences_of
from attention_lab.evaluation.metrics import ROUGES, Outcome, exact_match, rouge
from attention_lab.evaluation.ngrams import ngram_loss
from attention_lab.mechanism.registry import unknown

Example = Mapping[str, Any]
# Name and scores, by metric.
Row = tuple[str, dict[str, float]]
NGRAMS = (("witten_bell", 5), ("kneser_ney", 5), ("kneser_ney", 6))


def baselines(task: str, train: Sequence[Example], examples: Sequence[Example]) -> list[Row]:
    """Returns the scores of the baselines of a task, in BASELINES, on examples, where what they count is from train.

    Raises ValueError if there is no such task, or the examples lack what it reads.
    """
    if task not in BASELINES:
        raise ValueError(unknown("task with baselines", task, BASELINES))
    columns, rows = BASELINES[task]
    for example in (*train[:1], *examples[:1]):
        for column in columns:
            if column not in example:
                raise ValueError(
                    f"the examples have no {column!r}, which {task} needs; they have {', '.join(example)}"
                )
    return rows(train, examples)


def lead(example: Example, count: int = 1) -> str:
    """Returns the first sentences of the source."""
    return " ".join([sentence for sentence in sentences_of(example) if sentence][:count])


def oracle(example: Example, score: Callable[[str, Example], float]) -> str:
    """Returns the sentence of the source with the highest score(sentence, example), the first one on a tie.

    It is the limit of all summaries that are one sentence of the source.
    """
    sentences = [sentence for sentence in sentences_of(example) if sentence]
    return max(sentences, key=lambda sentence: score(sentence, example))


def supporting(example: Example) -> str:
    """Returns the sentences of the source that the corpus calls supporting."""
    sentences = sentences_of(example)
    return " ".join(sentences[index] for index in example["supporting"])


def most_frequent(train: Sequence[Example]) -> str:
    """Returns the most frequent target, the first one on a tie."""
    return Counter(example["target"] for example in train).most_common(1)[0][0]


def language(train: Sequence[Example], examples: Sequence[Example]) -> list[Row]:
    """Returns nats and bits per character of n-grams of characters; documents are joined by line breaks."""
    before, text = ("\n".join(example["text"] for example in part) for part in (train, examples))
    size = len(set(before) | set(text))
    losses = {"uniform": log(size)}
    for smoothing, order in NGRAMS:
        name = f"{order}-gram, {smoothing.replace('_', '-')}"
        losses[name] = ngram_loss(before, text, order, smoothing, size)
    return [(name, {"nats": loss, "bits": loss / log(2)}) for name, loss in losses.items()]


def summarization(train: Sequence[Example], examples: Sequence[Example]) -> list[Row]:
    """Returns the mean ROUGE-1, -2 and -L F of the first sentence and of the best ones, without stemming.

    Each of the three takes the best of several references by itself.
    """
    del train
    outputs = {
        "first sentence": [lead(example) for example in examples],
        "sentence that the corpus calls best": [supporting(one) for one in examples],
        "sentence with the best ROUGE-1": [oracle(one, _rouge1) for one in examples],
    }
    return [(name, _rouge(examples, texts)) for name, texts in outputs.items()]


def answering(train: Sequence[Example], examples: Sequence[Example]) -> list[Row]:
    """Returns the percentage of examples whose target is the most frequent one in training."""
    answer, metric = most_frequent(train), exact_match()
    score = metric.score_of(Outcome(examples, [answer] * len(examples)))
    return [(f"always {answer!r}", {metric.title: score})]


def _rouge(examples, texts):
    metrics = [rouge(kind, stemming=False) for kind in ROUGES]
    return {metric.title: metric.score_of(Outcome(examples, texts)) for metric in metrics}


def _rouge1(sentence, example):
    return rouge("rouge1", stemming=False).score_of(Outcome([example], [sentence]))


# By task: the columns that it reads, and the function of training and evaluated examples.
BASELINES: Mapping[str, tuple[tuple[str, ...], Callable[..., list[Row]]]] = MappingProxyType(
    {
        "language": (("text",), language),
        "summarization": (("target", "sentence_of", "supporting"), summarization),
        "answering": (("target",), answering),
    }
)
