"""What CONTRIBUTING shows is executed: a new score needs one function, one line and one oracle."""

import importlib
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from attention_lab import models
from attention_lab.evaluation import metrics
from attention_lab.mechanism import Attention, scores
from attention_lab.models import DECODERS, encoders
from attention_lab.studies import findings
from tests import cases, pages, reference
from tests.models import models_test, small

pytestmark = pytest.mark.oldest

FUNCTION, ORACLE, ENCODER, METRIC = pages.blocks("CONTRIBUTING.md", "python")


def test_contributing_is_one_page():
    assert len(pages.text("CONTRIBUTING.md").splitlines()) <= 155


@pytest.mark.parametrize("how", ["self dense", "cross blockwise"])
def test_the_score_that_contributing_adds_agrees_with_the_oracle_that_it_adds(how, monkeypatch):
    package, oracle = dict(vars(scores)), dict(vars(reference))
    exec(FUNCTION, package)
    exec(ORACLE, oracle)
    monkeypatch.setitem(reference.SCORES, "activated", oracle["activated_score"])
    monkeypatch.setattr(
        cases.Case, "attention", property(lambda case: Attention(score=package["activated"]))
    )
    case = cases.Case(score="activated", how=how)
    inputs, valid = cases.data()
    params = cases.parameters(case)
    vectors, _ = cases.theirs(case, params, inputs, valid)
    assert cases.distance(cases.ours(case, params, inputs, valid)[0], vectors) < 1e-9

    def loss(params, run=cases.ours):
        return jnp.sum(run(case, params, inputs, valid)[0] ** 2)

    gradient = jax.grad(loss)(params)["score"]["W"]

    def moved(step):
        w = {"W": params["score"]["W"] + step * np.ones_like(gradient)}
        return loss({**params, "score": w}, cases.theirs)

    slope = (moved(1e-5) - moved(-1e-5)) / 2e-5
    np.testing.assert_allclose(jnp.sum(gradient), slope, rtol=1e-6)


def test_a_score_without_an_oracle_is_named(monkeypatch):
    from tests.mechanism import agreement_test

    registry = types.MappingProxyType({**scores.SCORES, "activated": scores.dot})
    pieces = {**agreement_test.PIECES, "score": registry}
    monkeypatch.setattr(agreement_test, "PIECES", pieces)
    with pytest.raises(AssertionError, match="no oracle for score activated"):
        agreement_test.test_every_piece_has_an_oracle("score")


@pytest.mark.parametrize(
    "decoder",
    [
        pytest.param(
            name, marks=[pytest.mark.slow, pytest.mark.promise] * (name in ("fixed", "luong"))
        )
        for name in DECODERS
    ],
)
def test_the_encoder_that_contributing_adds_fits_every_decoder(decoder, monkeypatch):
    imported = vars(importlib.import_module("attention_lab.models.encoders.transformer"))
    package = {**imported, "nn": linen}
    exec(ENCODER, package)
    registry = types.MappingProxyType({**encoders.ENCODERS, "bag": package["bag"]})
    monkeypatch.setattr(models, "ENCODERS", registry)
    words = small.SIDES["decoder"][decoder]
    model = models.make_model(
        19, 19, encoder={"kind": "bag", "embedding": 6}, decoder={"kind": decoder, **words}
    )
    models._made.cache_clear()  # whoever asks for a "bag" later gets none
    models_test.trains(model)
    models_test.test_stepping_equals_teacher_forcing(lambda: model)
    models_test.test_padding_changes_neither_logits_nor_weights(lambda: model)


def test_the_metric_that_contributing_adds_has_intervals_and_tests():
    package = dict(vars(metrics))
    exec(METRIC, package)
    metric, references = package["first_word"](), [str(n) for n in range(20)]
    rows = []
    for arm, wrong in (("a", 2), ("b", 9)):
        for seed in range(3):
            hypotheses = ["?"] * (wrong + seed % 2) + references[wrong + seed % 2 :]
            outcome = metrics.Outcome([{"target": one} for one in references], hypotheses)
            found = metric.statistics(outcome)
            assert metric.score(found) == pytest.approx(100 - 5 * (wrong + seed % 2))
            rows.append(
                {"arm": arm, "split": "test", "statistics": {"test": {"first": found.tolist()}}}
            )
    (one,) = findings.compare(rows, ["b", "a"], [metric])
    assert one.difference.estimate == pytest.approx(35) and one.difference.low > 0
