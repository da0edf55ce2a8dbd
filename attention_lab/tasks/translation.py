"""Machine translation: the source is a sentence, and the target its translation."""

from attention_lab.evaluation.metrics import Metric, alignment_error, bleu, chrf, perplexity
from attention_lab.tasks import text_to_text
from attention_lab.tasks.contracts import Config, Task


def metrics(config: Config) -> tuple[Metric, ...]:
    """Returns BLEU with the config's tokenizer, alignment error, chrF and perplexity."""
    return bleu(config["data"]["bleu_tokenize"]), alignment_error(), chrf(), perplexity()


TRANSLATION = Task(
    "translation",
    text_to_text.read,
    text_to_text.prepare,
    text_to_text.encode,
    text_to_text.evaluated,
    metrics,
    # BLEU alone cannot rank: it is 0 early in training, and for very short sentences.
    rank=("bleu", "perplexity"),
    # chrF and perplexity measure the same quality as BLEU: further tests would only reduce the power of each.
    compared=("bleu", "aer"),
    show=text_to_text.show,
)
