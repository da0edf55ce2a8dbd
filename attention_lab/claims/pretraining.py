"""Claims about pre-training. Each compares arms of a study of fine-tuned models, which it identifies by name.

The arms are those of configs/claims/pretraining.py: models of one size that write headlines, and that started from
scratch or from models that were trained with another objective on the stories alone. Those of two claims are in
configs/claims/pretraining_translation.py: models that translate.
"""

from attention_lab.claims.contracts import Claim, above, below, within
from attention_lab.claims.quantities import comparing, more
from attention_lab.evaluation.metrics import bleu, perplexity, rouge

ROUGE, PERPLEXITY, BLEU = rouge("rougeL", stemming=False), perplexity(), bleu()
T5 = "Raffel et al. 2020"
BART = "Lewis et al. 2020"
PEGASUS = "Zhang et al. 2020"


# An arm writes better headlines than another, or gives the references a lower perplexity.
_better = comparing("ROUGE-L", ROUGE, above(0))
_likelier = comparing("perplexity", PERPLEXITY, below(0), ranked_by=ROUGE)

CLAIMS = (
    _better(
        "pre-training with spans",
        "Pre-training with corrupted spans helps where there are few examples.",
        f"{T5}, table 1",
        "spans",
        "scratch",
    ),
    _better(
        "pre-training with infilling",
        "Pre-training with text infilling helps a model that writes summaries.",
        f"{BART}, table 1",
        "infilling",
        "scratch",
    ),
    _better(
        "pre-training with gap sentences",
        "Pre-training with gap sentences helps a model that writes summaries.",
        f"{PEGASUS}, table 1",
        "gap sentences",
        "scratch",
    ),
    _likelier(
        "infilling, deletion",
        "Text infilling is a better objective than token deletion.",
        f"{BART}, table 1: 5.83 and 5.87 on CNN/DM",
        "infilling",
        "deletion",
    ),
    _likelier(
        "infilling, masking",
        "Text infilling is a better objective than token masking.",
        f"{BART}, table 1: 5.83 and 6.10 on CNN/DM",
        "infilling",
        "masking",
    ),
    _likelier(
        "deletion, rotation",
        "Token deletion is a better objective than document rotation.",
        f"{BART}, table 1: 5.87 and 10.59 on CNN/DM",
        "deletion",
        "rotation",
    ),
    _likelier(
        "masking, rotation",
        "Token masking is a better objective than document rotation.",
        f"{BART}, table 1: 6.10 and 10.59 on CNN/DM",
        "masking",
        "rotation",
    ),
    _likelier(
        "permutation added",
        "Text infilling is a better objective for summaries if sentences are permuted too.",
        f"{BART}, table 1: 5.41 and 5.83 on CNN/DM",
        "infilling and permutation",
        "infilling",
    ),
    _better(
        "picked, random",
        "Gap sentences that ROUGE picks are a better objective than random ones.",
        f"{PEGASUS}, figure 4a",
        "gap sentences",
        "random sentences",
    ),
    _better(
        "random, lead",
        "Random gap sentences are a better objective than the first ones.",
        f"{PEGASUS}, figure 4a",
        "random sentences",
        "first sentences",
    ),
    _better(
        "spans, prefix",
        "Corrupted spans are a better objective than language modeling from a prefix.",
        f"{T5}, table 4",
        "spans",
        "prefix",
    ),
    _better(
        "spans, deshuffling",
        "Corrupted spans are a better objective than putting sentences in order.",
        f"{T5}, table 4",
        "spans",
        "permutation",
    ),
    _better(
        "corruption rate",
        "Corrupting 15 % of the tokens is better than corrupting 50 %.",
        f"{T5}, table 6: 83.28 and 81.27 on GLUE",
        "spans",
        "spans of half",
    ),
    Claim(
        "corruption rate matters little",
        "Corrupting 10 % of the tokens is as good as corrupting 25 %.",
        f"{T5}, table 6: 82.82 and 83.00 on GLUE",
        "ROUGE-L, spans of a tenth - spans of a quarter",
        more("spans of a tenth", "spans of a quarter", ROUGE),
        within(2),
        ("spans of a tenth", "spans of a quarter"),
        ROUGE,
    ),
    Claim(
        "translation from many pairs",
        "Where there are many pairs, translation gains nothing from pre-training on one language.",
        f"{T5}, table 1: 39.82 and 39.77 on WMT English to French",
        "BLEU, many pairs: pre-trained - from scratch",
        more("many pairs, pre-trained", "many pairs", BLEU),
        within(1),
        ("many pairs, pre-trained", "many pairs"),
        BLEU,
    ),
    Claim(
        "translation from few pairs",
        "Where there are few pairs, translation gains from pre-training on one language.",
        f"{T5}, table 1: 27.65 and 24.04 on WMT English to Romanian",
        "BLEU, few pairs: pre-trained - from scratch",
        more("few pairs, pre-trained", "few pairs", BLEU),
        above(0),
        ("few pairs, pre-trained", "few pairs"),
        BLEU,
    ),
)
