"""Quality of texts: similarity to references, by BLEU and chrF of sacreBLEU (Post 2018), and ROUGE of rouge-score.

    print(bleu(hypotheses, references))

Scores are comparable only if their signatures are equal, so that each score includes its signature. Hypotheses and
references are compared in Unicode's NFC.
"""

import functools
import re
import unicodedata
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from attention_lab.data.words import normalize, unspaced
from attention_lab.mechanism.registry import unknown

FEW = 3  # a text without spaces of at most this many letters may be one word
PROBED = 20  # references without spaces on which the tokenizer is tested


class Quality(NamedTuple):
    """A score from 0 to 100, with sacreBLEU's signature, which describes its settings."""

    score: float
    signature: str

    def __str__(self):
        return f"{self.score:.2f}  {self.signature}"


def bleu(hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "13a") -> Quality:
    """Returns BLEU of the whole corpus: case-sensitive, with exponential smoothing and one reference for each hypothesis.

    Texts are detokenized. tokenize: the name of one of sacreBLEU's tokenizers; a warning is issued if it does not split
    text without spaces. Raises ValueError if there are no hypotheses, or not one reference for each, and as
    `bleu_metric` does.
    """
    scored = _score(bleu_metric(tokenize), hypotheses, references)
    warn_of_uncut(references, tokenize)
    return scored


def warn_of_uncut(references: Sequence[str], tokenize: str) -> None:
    """Warns if BLEU's tokenizer does not split texts without spaces, so that only equal texts match."""
    normalized = map(normalize, references)
    uncut = [text for text in normalized if " " not in text and len(unspaced(text)) > FEW]
    letters = "".join(map(unspaced, uncut[:PROBED]))
    if letters and len(bleu_metric(tokenize).tokenizer(letters).split()) == 1:
        warnings.warn(
            f"BLEU's tokenizer {tokenize} does not cut text without spaces, such as {uncut[0]:.30}; choose another, "
            "such as zh, ja-mecab or char (data.bleu_tokenize in a config)",
            stacklevel=3,
        )


def bleu_signature(tokenize: str = "13a", several: bool = False) -> str:
    """Returns sacreBLEU's signature of `bleu`; several: of a number of references that differs.

    Raises ValueError as `bleu_metric` does.
    """
    metric = bleu_metric(tokenize)
    if not several:
        return _score(metric, ["a"], ["a"]).signature
    references: Any = [["a", "a"], ["a", None]]
    metric.corpus_score(["a", "a"], references)
    return str(metric.get_signature())


def chrf_signature() -> str:
    """Returns sacreBLEU's signature of `chrf`."""
    return _score(CHRF(), ["a"], ["a"]).signature


def paired_bootstrap(
    tokenize: str, systems: Sequence[Sequence[str]], references: Sequence[str]
) -> list[float]:
    """Returns the p-values of sacreBLEU's paired bootstrap test (Koehn 2004) of each system's BLEU against the first one's.

    systems: the hypotheses of each system. The test resamples sentences, but not seeds.
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
    # sacreBLEU counts the resamples with a greater difference: for equal systems it counts none, and p would be near 0.
    return [1.0 if one.score == first.score else float(one.p_value) for one in others]


def bleu_metric(tokenize: str = "13a", **options: Any) -> BLEU:
    """Returns sacreBLEU's BLEU with a tokenizer. Raises ValueError if its name is unknown, or a package is missing."""
    if tokenize not in BLEU.TOKENIZERS:
        raise ValueError(unknown("tokenizer for BLEU", tokenize, BLEU.TOKENIZERS))
    try:
        # force: suppresses the warning about tokenized texts, which would be repeated at every validation.
        return BLEU(tokenize=tokenize, force=True, **options)
    except (ImportError, RuntimeError, AssertionError, OSError) as error:
        message = " ".join(str(error).split())
        raise ValueError(f"BLEU's tokenizer {tokenize} is not available: {message}") from None


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> Quality:
    """Returns chrF2 of the whole corpus, case-sensitive, with n-grams of up to 6 characters (Popović 2015).

    Raises ValueError as `bleu` does.
    """
    return _score(CHRF(), hypotheses, references)


def rouge_f1(
    kind: str, stemming: bool, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> list[float]:
    """Returns the F1 of each hypothesis, 0 to 100: that of the reference to which it is most similar.

    kind: "rouge1" or "rouge2", of n-grams, or "rougeL", of the longest common subsequence of the whole texts.
    stemming: words of more than 3 letters are stemmed (Porter 1980). A word consists of the letters a to z, in either
    case, and digits; all other characters separate words. A warning is issued if nothing of a reference remains.
    """
    scorer = _rouge_scorer(kind, stemming)
    _warn_of_unread([text for texts in references for text in texts])
    pairs = zip(composed(hypotheses), map(composed, references), strict=True)
    return [100 * float(scorer.score_multi(r, h)[kind].fmeasure) for h, r in pairs]


def rouge_signature(kind: str, stemming: bool) -> str:
    """Returns a signature of `rouge_f1` in the manner of sacreBLEU."""
    stem = "porter" if stemming else "no"
    return f"{kind}|f1|refs:best|stem:{stem}|rouge-score:{version('rouge-score')}"


@functools.cache
def _rouge_scorer(kind, stemming):
    # A local import: the library imports nltk.
    from rouge_score import rouge_scorer, tokenizers

    return rouge_scorer.RougeScorer([kind], tokenizer=tokenizers.DefaultTokenizer(stemming))


def _warn_of_unread(references):
    for text in references:
        if any(map(str.isalnum, text)) and not re.search("[a-z0-9]", text.lower()):
            warnings.warn(
                f"ROUGE reads the letters a to z and digits only, and nothing of references such as {text:.30}",
                stacklevel=4,
            )
            return


def composed(texts: Sequence[str]) -> list[str]:
    """Returns the texts in Unicode's NFC, in which they are compared."""
    return [unicodedata.normalize("NFC", text) for text in texts]


def _score(metric, hypotheses, references):
    for name, texts in (("hypotheses", hypotheses), ("references", references)):
        if isinstance(texts, str):
            raise ValueError(
                f"{name} must be a list of strings, but one string was given; put it in a list"
            )
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValueError(
                    f"{name}[{number}] is a {type(text).__name__}, expected a string: {text!r:.60}"
                )
    if len(hypotheses) != len(references):
        raise ValueError(
            f"{len(hypotheses)} hypotheses but {len(references)} references; each needs one"
        )
    if not len(hypotheses):
        raise ValueError("there are no hypotheses, and the score of an empty corpus is undefined")
    score = metric.corpus_score(composed(hypotheses), [composed(references)]).score
    return Quality(float(score), str(metric.get_signature()))
