"""Quality: what sacrebleu is asked, and what is told where it cannot be."""

import importlib.util
import math
import unicodedata

import pytest
from sacrebleu.metrics.bleu import BLEU

from attention_lab.data.tokenizer import UNKNOWN_TEXT, train
from attention_lab.evaluation.metrics import bleu_of, bleu_statistics
from attention_lab.evaluation.quality import bleu, bleu_metric, chrf

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
    for score, message in (
        (bleu(TEXTS, TEXTS), "case:mixed|eff:no|tok:13a"),
        (chrf(TEXTS, TEXTS), "nc:6"),
    ):
        assert message in score.signature and "version:" in score.signature
        assert str(score) == f"100.00  {score.signature}"


def test_an_empty_translation_is_bad_but_no_error():
    assert bleu([""], ["a b"]).score == chrf([""], ["a b"]).score == 0


@pytest.mark.parametrize("score", [bleu, chrf])
@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ([], [], "there are no hypotheses"),
        (["a"], ["a", "b"], "1 hypotheses but 2 references"),
        ("a", ["a"], "hypotheses must be a list of strings"),
        (["a"], [None], r"references\[0\] is a NoneType"),
        (["a"], [["a"]], r"references\[0\] is a list"),
    ],
)
def test_what_cannot_be_compared_is_reported(score, hypotheses, references, message):
    with pytest.raises(ValueError, match=message):
        score(hypotheses, references)


CHINESE = ["我非常喜欢这只小猫。", "他在大学里学习数学，她也是。"]


@pytest.mark.parametrize("tokenize", ["zh", "char"])
def test_a_perfect_translation_without_spaces_has_all_points(tokenize):
    found = bleu(CHINESE, CHINESE, tokenize)
    assert found.score == pytest.approx(100) and f"tok:{tokenize}" in found.signature
    assert bleu_of(bleu_statistics(CHINESE, CHINESE, tokenize).sum(0)) == pytest.approx(100)
    wrong = [CHINESE[0], CHINESE[1].replace("数学", "化学")]
    parts = bleu_statistics(wrong, CHINESE, tokenize)
    assert 50 < bleu_of(parts.sum(0)) < 100
    assert bleu_of(parts.sum(0)) == pytest.approx(bleu(wrong, CHINESE, tokenize).score)


@pytest.mark.parametrize("tokenize", ["13a", "intl", "none"])
@pytest.mark.parametrize(
    "reference", [CHINESE[0], "ฉันชอบแมวตัวนี้มาก", "猫がとても好きです.", "<猫>在这里!"]
)
def test_a_reference_without_spaces_that_is_left_whole_is_warned_of(tokenize, reference):
    with pytest.warns(UserWarning, match=f"BLEU's tokenizer {tokenize} does not cut") as raised:
        bleu(["a b", "c"], ["a b", reference], tokenize)
    (one,) = raised
    assert "\n" not in str(one.message) and reference[:10] in str(one.message)


@pytest.mark.parametrize("reference", ["我 喜欢 猫", "Donaudampfschifffahrt", "猫", "나는고양이"])
def test_other_references_are_no_reason_to_warn(reference):
    bleu(["a b"], [reference])  # a warning is an error here


def test_a_tokenizer_that_cannot_be_had_is_one_line():
    with pytest.raises(ValueError, match="no tokenizer for BLEU 'zhh'; did you mean 'zh'"):
        bleu(TEXTS, TEXTS, "zhh")
    if importlib.util.find_spec("MeCab"):
        pytest.skip("MeCab is installed")
    with pytest.raises(
        ValueError, match=r"tokenizer ja-mecab is not available.*sacrebleu\[ja\]"
    ) as raised:
        bleu_metric("ja-mecab")
    assert "\n" not in str(raised.value)


def test_both_forms_of_a_letter_are_equal():
    apart = [unicodedata.normalize("NFD", text) for text in ("l'été a déjà été là", "ça y est")]
    composed = [unicodedata.normalize("NFC", text) for text in apart]
    for score in (bleu, chrf):
        assert score(apart, composed) == score(composed, apart) == score(composed, composed)
    assert (bleu_statistics(apart, composed) == bleu_statistics(composed, composed)).all()


def test_an_unknown_word_is_one_token():
    tokenizer = train("word", ["the cat sat on the mat"], 20)
    (text,) = [tokenizer.decode(tokenizer.encode("the dog sat on the mat").ids)]
    assert text == f"the {UNKNOWN_TEXT} sat on the mat"
    reference = "the cat sat on the mat"
    assert bleu([text], [reference]) == bleu(["the dog sat on the mat"], [reference])
    for tokenize in ("13a", "intl", "zh", "none"):
        assert BLEU(tokenize=tokenize).tokenizer(text).split() == text.split()
