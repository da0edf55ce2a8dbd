"""Quality: how near translations come to their references, by BLEU and chrF (Post 2018, sacrebleu).

    print(bleu(hypotheses, references))

A score can be compared with others only if its signature is the same, so that it is never without one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF


class Quality(NamedTuple):
    """A score from 0 to 100, and the signature that says how it was made."""

    score: float
    signature: str

    def __str__(self):
        return f"{self.score:.2f}  {self.signature}"


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> Quality:
    """BLEU of the whole corpus: 13a tokens, cased, smoothed exponentially, one reference each.

    Texts are as people write them, not cut into tokens or pieces. Raises ValueError where there are
    none, or not one reference for each hypothesis.
    """
    # force: a corpus that comes in tokens is no reason for three lines of warning at every validation.
    metric = BLEU(tokenize="13a", lowercase=False, force=True)
    return _score(metric, hypotheses, references)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> Quality:
    """chrF2 of the whole corpus, cased, up to 6 characters (Popović 2015). Raises as `bleu` does."""
    return _score(CHRF(), hypotheses, references)


def quality(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """All of it as plain JSON: {"bleu": 0..100, "chrf": 0..100, "signatures": {"bleu": .., "chrf": ..}}."""
    found = {"bleu": bleu(hypotheses, references), "chrf": chrf(hypotheses, references)}
    scores = {name: one.score for name, one in found.items()}
    return {**scores, "signatures": {name: one.signature for name, one in found.items()}}


def _score(metric, hypotheses, references):
    for what, texts in (("hypotheses", hypotheses), ("references", references)):
        if isinstance(texts, str):
            raise ValueError(
                f"{what} are a list of texts, but one text was given; put it in a list"
            )
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValueError(
                    f"{what}[{number}] is a {type(text).__name__}, expected a text: {text!r:.60}"
                )
    if len(hypotheses) != len(references):
        raise ValueError(
            f"{len(hypotheses)} hypotheses but {len(references)} references; each needs one"
        )
    if not len(hypotheses):
        raise ValueError("there are no hypotheses, and nothing is neither good nor bad")
    score = metric.corpus_score(list(hypotheses), [list(references)]).score
    return Quality(float(score), str(metric.get_signature()))
