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
from sacrebleu.significance import PairedTest

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
    scored = _score(bleu_metric(tokenize), hypotheses, references)
    warn_of_uncut(references, tokenize)
    return scored


def warn_of_uncut(references: Sequence[str], tokenize: str) -> None:
    """Warns where BLEU's tokenizer leaves texts without spaces whole, so that only equal texts match."""
    plain = map(normalize, references)
    uncut = [text for text in plain if " " not in text and len(unspaced(text)) > FEW]
    letters = "".join(map(unspaced, uncut[:PROBED]))
    if letters and len(bleu_metric(tokenize).tokenizer(letters).split()) == 1:
        warnings.warn(
            f"BLEU's tokenizer {tokenize} does not cut text without spaces, as {uncut[0]:.30}; take another, "
            "such as zh, ja-mecab or char (data.bleu_tokenize in a config)",
            stacklevel=3,
        )


def bleu_signature(tokenize: str = "13a") -> str:
    """sacreBLEU's signature of `bleu`. Raises ValueError as `bleu_metric` does."""
    return _score(bleu_metric(tokenize), ["a"], ["a"]).signature


def chrf_signature() -> str:
    """sacreBLEU's signature of `chrf`."""
    return _score(CHRF(), ["a"], ["a"]).signature


def paired_bootstrap(
    tokenize: str, systems: Sequence[Sequence[str]], references: Sequence[str]
) -> list[float]:
    """p of sacreBLEU's paired bootstrap (Koehn 2004) of the BLEU of each system against the first one's.

    systems: the hypotheses of each. Sentences alone are drawn again, not seeds.
    """
    test = PairedTest(
        [(str(number), composed(texts)) for number, texts in enumerate(systems)],
        {"BLEU": bleu_metric(tokenize)},
        references=[composed(references)],
        test_type="bs",
        n_samples=1000,
    )
    results: Any = test()[1]["BLEU"]
    first, *others = results
    # sacreBLEU counts the draws that differ by more: where nothing differs, that is none of them.
    return [1.0 if one.score == first.score else float(one.p_value) for one in others]


def bleu_metric(tokenize: str = "13a", **options: Any) -> BLEU:
    """sacreBLEU's BLEU with a tokenizer. Raises ValueError where there is none of that name, or it lacks a package."""
    if tokenize not in BLEU.TOKENIZERS:
        raise ValueError(unknown("tokenizer for BLEU", tokenize, BLEU.TOKENIZERS))
    try:
        # force: a corpus that comes in tokens is no reason for three lines of warning at every validation.
        return BLEU(tokenize=tokenize, force=True, **options)
    except (ImportError, RuntimeError, AssertionError, OSError) as error:
        message = " ".join(str(error).split())
        raise ValueError(f"BLEU's tokenizer {tokenize} cannot be had: {message}") from None


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> Quality:
    """chrF2 of the whole corpus, cased, up to 6 characters (Popović 2015). Raises as `bleu` does."""
    return _score(CHRF(), hypotheses, references)


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
