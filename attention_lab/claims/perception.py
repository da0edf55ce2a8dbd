"""Claims about attention to pictures and to speech. Each compares arms of a study, which it identifies by name.

The arms are those of configs/claims/captions.py, models that describe the embedded pictures, and of
configs/claims/digits.py, models that transcribe strings of at most five spoken digits and are tested on up to twenty.
"""

from attention_lab.claims.contracts import Claim, above, below, within
from attention_lab.claims.quantities import comparing, loss_with_length, more, more_at, more_than
from attention_lab.evaluation.metrics import bleu
from attention_lab.evaluation.perception import area, correctness, region_pointing
from attention_lab.evaluation.recognition import word_errors

BLEU, WER = bleu(several=True), word_errors()
XU = "Xu et al. 2015"
CHOROWSKI = "Chorowski et al. 2015"
LEARNT, BEYOND = 5, 6  # digits of a string: at most in training, and at least in what is longer
WORSE = 10  # points of WER by which a model that breaks is worse


_better = comparing("BLEU", BLEU, above(0))  # an arm writes better captions than another


def _fewer(name: str, sentence: str, source: str, arm: str, other: str) -> Claim:
    """A claim that an arm makes fewer errors than another on strings as long as those of training."""
    number = f"WER of 1-{LEARNT} digits, {arm} - {other}"
    quantity = more_at(arm, other, WER, 1, LEARNT)
    return Claim(name, sentence, source, number, quantity, below(0), (arm, other), WER)


def _fewer_beyond(name: str, sentence: str, arm: str, other: str) -> Claim:
    """A claim that an arm makes fewer errors than another on strings longer than those of training."""
    number = f"WER of {BEYOND}-20 digits, {arm} - {other}"
    quantity = more_at(arm, other, WER, BEYOND)
    source = f"{CHOROWSKI}, figure 2"
    return Claim(name, sentence, source, number, quantity, below(0), (arm, other), WER)


CLAIMS = (
    _better(
        "attention for captions",
        "Attention to places of an image improves captions.",
        f"{XU}, table 1",
        "soft",
        "no attention",
    ),
    _better(
        "hard attention",
        "Hard attention improves captions.",
        f"{XU}, table 1",
        "hard",
        "no attention",
    ),
    Claim(
        "soft and hard",
        "Hard attention describes images about as well as soft attention.",
        f"{XU}, table 1: 21.3 and 19.5 BLEU on Flickr8k, 25.0 and 24.3 on COCO",
        "BLEU, hard - soft",
        more("hard", "soft", BLEU),
        within(2),
        ("hard", "soft"),
        BLEU,
    ),
    Claim(
        "looks at what it says",
        "While a model names something, it looks where that is.",
        f"{XU}, figure 3; Liu et al. 2017, table 1: 38 and 32 on Flickr30k",
        "% of weight inside the region - % of the image that it is, soft",
        more_than("soft", correctness(), area()),
        above(0),
        ("soft",),
        BLEU,
    ),
    Claim(
        "hard attention points",
        "Hard attention looks at one place, which is where the word is, more often than soft attention.",
        f"{XU}, figure 2",
        "% of words whose greatest weight lies in their region, hard - soft",
        more("hard", "soft", region_pointing()),
        above(0),
        ("hard", "soft"),
        BLEU,
    ),
    _better(
        "doubly stochastic",
        "To ask for equal attention to all places improves captions.",
        f"{XU}, section 4.2.1",
        "doubly stochastic",
        "soft",
    ),
    Claim(
        "gate",
        "With a gate on the context, attention puts more emphasis on objects.",
        f"{XU}, section 4.2.1",
        "% of weight inside the region, gate - soft",
        more("gate", "soft", correctness()),
        above(0),
        ("gate", "soft"),
        BLEU,
    ),
    _fewer(
        "attention for speech",
        "Attention makes a recurrent network able to transcribe speech.",
        "Chan et al. 2016, section 3",
        "content",
        "no attention",
    ),
    Claim(
        "content breaks",
        "Attention by content alone breaks on speech that is longer than in training.",
        f"{CHOROWSKI}, figure 2",
        f"WER, content, 1-{LEARNT} digits - {BEYOND}-20 digits",
        loss_with_length("content", WER, LEARNT, BEYOND),
        below(-WORSE),
        ("content",),
        WER,
    ),
    _fewer_beyond(
        "location",
        "Features of the weights before help on speech that is longer than in training.",
        "location",
        "content",
    ),
    _fewer_beyond(
        "smoothing",
        "Smoothing in place of a softmax helps on speech that is longer than in training.",
        "smoothing",
        "content",
    ),
    _fewer_beyond(
        "location with smoothing",
        "Smoothing helps features of the weights before on speech that is longer than in training.",
        "location and smoothing",
        "location",
    ),
    _fewer_beyond(
        "windowing",
        "A window about the last place helps on speech that is longer than in training.",
        "windowed location",
        "location",
    ),
    _fewer(
        "SpecAugment",
        "Hiding bands of frequencies and times in training improves recognition.",
        "Park et al. 2019, table 3",
        "SpecAugment",
        "content",
    ),
    _fewer(
        "sampled inputs",
        "Training on a tenth of sampled inputs improves recognition.",
        "Chan et al. 2016, table 1: 16.2 and 14.1",
        "sampled inputs",
        "content",
    ),
)
