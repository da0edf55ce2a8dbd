"""Quality: what sacrebleu is asked, and what is told where it cannot be."""

import json
import math

import pytest

from attention_lab.evaluation.quality import bleu, chrf, quality

TEXTS = ["The cat sat on the mat.", "“Two men”, he said, are here."]


def test_a_perfect_translation_has_all_points():
    assert bleu(TEXTS, TEXTS).score == pytest.approx(100)
    assert chrf(TEXTS, TEXTS).score == pytest.approx(100)


def test_bleu_by_hand():
    # Of 1- to 4-grams 4 of 5, 3 of 4, 2 of 3 and 1 of 2 are right, and the lengths are equal.
    by_hand = 100 * math.prod((4 / 5, 3 / 4, 2 / 3, 1 / 2)) ** (1 / 4)
    assert bleu(["a b c d e"], ["a b c d f"]).score == pytest.approx(by_hand)


def test_a_short_translation_pays_for_its_brevity():
    assert bleu(["a b c d"], ["a b c d e f"]).score == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_case_counts():
    assert bleu([text.lower() for text in TEXTS], TEXTS).score < 100


def test_punctuation_is_cut_off():
    assert bleu(["one two three four ."], ["one two three four."]).score == pytest.approx(100)


def test_a_score_says_how_it_was_made():
    for score, said in (
        (bleu(TEXTS, TEXTS), "case:mixed|eff:no|tok:13a"),
        (chrf(TEXTS, TEXTS), "nc:6"),
    ):
        assert said in score.signature and "version:" in score.signature
        assert str(score) == f"100.00  {score.signature}"


def test_all_of_it_is_plain_json():
    found = quality(TEXTS[::-1], TEXTS)
    assert json.loads(json.dumps(found)) == found
    assert found["bleu"] == bleu(TEXTS[::-1], TEXTS).score
    assert found["signatures"]["chrf"] == chrf(TEXTS, TEXTS).signature


def test_an_empty_translation_is_bad_but_no_error():
    assert bleu([""], ["a b"]).score == chrf([""], ["a b"]).score == 0


@pytest.mark.parametrize("score", [bleu, chrf, quality])
@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ([], [], "there are no hypotheses"),
        (["a"], ["a", "b"], "1 hypotheses but 2 references"),
        ("a", ["a"], "hypotheses are a list of texts"),
        (["a"], [None], r"references\[0\] is a NoneType"),
        (["a"], [["a"]], r"references\[0\] is a list"),
    ],
)
def test_what_cannot_be_compared_is_told(score, hypotheses, references, message):
    with pytest.raises(ValueError, match=message):
        score(hypotheses, references)
