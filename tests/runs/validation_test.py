"""Validation during training: greedy translations and losses of each replica, on the first examples."""

from types import SimpleNamespace

import numpy as np
import pytest

from attention_lab.evaluation import metrics
from attention_lab.evaluation.metrics import Outcome
from attention_lab.runs import Runs, validation
from attention_lab.training.replicas import Layout, stack
from tests.runs.limits_test import LINKED, WORDS, run_of

EXAMPLES = [{"source": WORDS, "target": "the mat sat"}, *LINKED]


def validation_of(run, sentences=5, examples=EXAMPLES):
    config = {
        **run.config,
        "task": "translation",
        "data": {"bleu_tokenize": "13a"},
        "training": {"validation_sentences": sentences},
        "decoding": {**run.config["decoding"], "beam": 3, "coverage_penalty": 0.5},
    }
    corpus = SimpleNamespace(validation=examples, codec=run.codec)
    return validation.validation_of(config, corpus, run.model)


def test_what_the_model_cannot_read_is_counted():
    found = validation_of(run_of("learned positions"))
    # Of two pairs a side is too long; of one of them that is the source, whose translation is empty.
    assert (found.unread, found.empty) == (2, 1)
    assert found.better == {"bleu": "higher", "perplexity": "lower"}
    found = validation_of(run_of("learned positions"), sentences=2)
    assert found.examples == EXAMPLES[:2] and (found.unread, found.empty) == (0, 0)


def test_validation_examples_of_which_none_can_be_read_are_refused():
    message = (
        "none of 2 validation examples can be read: the first has 31 source tokens, .*; raise model"
    )
    with pytest.raises(ValueError, match=message):
        validation_of(run_of("learned positions"), examples=[LINKED[1], LINKED[2]])


@pytest.mark.parametrize("layout", [Layout(1, 1), Layout(2, 1)])
def test_each_replica_has_the_scores_of_its_greedy_translations_and_losses(layout):
    runs = [run_of("learned positions", scale=scale) for scale in (1.0, 3.0)]
    one = validation_of(runs[0])
    found = one.make_evaluator(layout)(Runs.of(runs, layout).params)
    assert list(found) == ["bleu", "perplexity"]
    for number, run in enumerate(runs):
        greedy = run.translate([example["source"] for example in EXAMPLES], beam=1)
        losses = run.teacher_forced(EXAMPLES, weights=False).losses
        outcome = Outcome(EXAMPLES, [each.text for each in greedy], losses)
        expected = metrics.perplexity().score_of(outcome)
        assert found["perplexity"][number] == pytest.approx(expected, rel=1e-5)
        assert found["bleu"][number] == metrics.bleu().score_of(outcome)
    assert found["perplexity"][0] != found["perplexity"][1]


def test_translations_of_validation_are_greedy_without_a_coverage_penalty(monkeypatch):
    searches = []

    def translate(self, sentences, **options):
        searches.append((self.config["decoding"], sentences))
        return [[SimpleNamespace(text=example["target"]) for example in EXAMPLES]]

    monkeypatch.setattr(Runs, "translate", translate)
    run = run_of("learned positions")
    scores = validation_of(run).make_evaluator(Layout())(stack([run.params]))
    assert searches == [
        (
            {"beam": 1, "longest": (2, 0.5), "coverage_penalty": 0.0},
            [example["source"] for example in EXAMPLES],
        )
    ]
    np.testing.assert_allclose(scores["bleu"], [100])
