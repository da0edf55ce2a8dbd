"""Word and character error rates of transcripts, as the library jiwer counts them."""

import functools

import numpy as np

from attention_lab.evaluation.counts import Statistics
from attention_lab.evaluation.metrics import LOWER, Metric, Outcome
from attention_lab.evaluation.statistics import ratio_of


@functools.cache
def word_errors() -> Metric:
    """WER: 100 (substitutions + deletions + insertions) / words of the references; words are separated by spaces."""
    return _errors("wer", "WER %", _words)


@functools.cache
def character_errors() -> Metric:
    """CER: the same of characters, spaces included."""
    return _errors("cer", "CER %", _characters)


def _errors(name, title, counts) -> Metric:
    def statistics(outcome: Outcome) -> Statistics:
        pairs = zip(outcome.references, outcome.hypotheses, strict=True)
        return np.array([counts(reference, hypothesis) for reference, hypothesis in pairs], float)

    return Metric(name, title, LOWER, statistics, ratio_of, bounds=(0.0, np.inf))


def _words(reference: str, hypothesis: str) -> tuple[int, int]:
    # A local import: only transcripts require the library.
    import jiwer

    return _counted(jiwer.process_words(reference, hypothesis))


def _characters(reference: str, hypothesis: str) -> tuple[int, int]:
    import jiwer

    return _counted(jiwer.process_characters(reference, hypothesis))


def _counted(found) -> tuple[int, int]:
    errors = found.substitutions + found.deletions + found.insertions
    return errors, found.hits + found.substitutions + found.deletions
