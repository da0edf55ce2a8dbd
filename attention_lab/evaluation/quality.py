"""Quality: how near translations come to their references, by BLEU and chrF (Post 2018, sacrebleu).

    print(bleu(hypotheses, references))

A score can be compared with others only if its signature is the same, so that it is never without one. Hypotheses
and references are compared in Unicode's NFC.
"""

import unicodedata
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from attention_lab.data.words import normalize, unspaced
from attention_lab.mechanism.registry import unknown

FEW = 3  # letters without spaces that may be one word
PROBED = 20  # references without spaces that are asked about


class Quality(NamedTuple):
    """A score from 0 to 100, and the signature that says how it was made."""

    score: float
    signature: str

    def __str__(self):
        return f"{self.score:.2f}  {self.signature}"


def bleu(hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "13a") -> Quality:
    """BLEU of the whole corpus: cased, smoothed exponentially, one reference each.

    Texts are as people write them, not cut into tokens or pieces. tokenize: sacreBLEU's name of what cuts them;
    a warning says where it leaves text without spaces whole. Raises ValueError where there are none, or not one
    reference for each hypothesis, and as `bleu_metric` does.
    """
    metric = bleu_metric(tokenize)
    scored = _score(metric, hypotheses, references)
    plain = map(normalize, references)
    uncut = [text for text in plain if " " not in text and len(unspaced(text)) > FEW]
    letters = "".join(map(unspaced, uncut[:PROBED]))
    if letters and len(metric.tokenizer(letters).split()) == 1:
        warnings.warn(
            f"BLEU's tokenizer {tokenize} does not cut text without spaces, as {uncut[0]:.30}; take another, "
            "such as zh, ja-mecab or char (data.bleu_tokenize in a config)",
            stacklevel=2,
        )
    return scored


def bleu_metric(tokenize: str = "13a", **options: Any) -> BLEU:
    """sacreBLEU's BLEU with a tokenizer. Raises ValueError where there is none of that name, or it lacks a package."""
    if tokenize not in BLEU.TOKENIZERS:
        raise ValueError(unknown("tokenizer for BLEU", tokenize, BLEU.TOKENIZERS))
    try:
        # force: a corpus that comes in tokens is no reason for three lines of warning at every validation.
        return BLEU(tokenize=tokenize, force=True, **options)
    except (ImportError, RuntimeError, AssertionError, OSError) as error:
        told = " ".join(str(error).split())
        raise ValueError(f"BLEU's tokenizer {tokenize} cannot be had: {told}") from None


def tokenizer_of(signature: str) -> str:
    """The tokenizer that the signature of a BLEU score names, which may tell its version too."""
    told = dict(part.split(":", 1) for part in signature.split("|"))["tok"]
    return max((name for name in BLEU.TOKENIZERS if told.startswith(name)), key=len)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> Quality:
    """chrF2 of the whole corpus, cased, up to 6 characters (Popović 2015). Raises as `bleu` does."""
    return _score(CHRF(), hypotheses, references)


def quality(
    hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "13a"
) -> dict[str, Any]:
    """All of it as plain JSON: {"bleu": 0..100, "chrf": 0..100, "signatures": {"bleu": .., "chrf": ..}}."""
    found = {"bleu": bleu(hypotheses, references, tokenize), "chrf": chrf(hypotheses, references)}
    scores = {name: one.score for name, one in found.items()}
    return {**scores, "signatures": {name: one.signature for name, one in found.items()}}


def composed(texts: Sequence[str]) -> list[str]:
    """The texts in Unicode's NFC, in which they are compared."""
    return [unicodedata.normalize("NFC", text) for text in texts]


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
    score = metric.corpus_score(composed(hypotheses), [composed(references)]).score
    return Quality(float(score), str(metric.get_signature()))
