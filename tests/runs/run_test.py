"""A run's search: the fields of its config, and those that a call chooses."""

import jax
import numpy as np
import pytest

from attention_lab.decoding import Search
from attention_lab.runs import Runs
from attention_lab.runs.run import search_of
from attention_lab.training.replicas import Layout
from tests.runs.limits_test import WORDS, run_of

NAME = "learned positions"


def test_a_search_has_the_fields_of_the_config_with_tuples_for_lists():
    found = search_of({"beam": 3, "longest": [2, 0.5], "length_penalty": 0.25})
    assert found == Search(beam=3, longest=(2, 0.5), length_penalty=0.25)
    assert hash(found) == hash(search_of({**found._asdict(), "longest": [2, 0.5]}))
    with pytest.raises(ValueError, match="did you mean 'beam'"):
        search_of({"beem": 3})


def test_a_beam_s_translations_are_settled_unless_fewer_are_asked_for(monkeypatch):
    run, searches = run_of(NAME), []

    def search(self, sentences, most, weights, step, progress, search):
        searches.append((most, search_of({**self.config["decoding"], **search})))
        return [[[] for _ in sentences]]

    monkeypatch.setattr(Runs, "search", search)
    for options in ({}, {"beam": 3}, {"beam": 3, "n_best": 1}):
        run.n_best([WORDS], **options)
    assert [(most, one.beam, one.n_best) for most, one in searches] == [
        (None, 2, 2),
        (None, 3, 3),
        (None, 3, 1),
    ]


def test_the_best_translation_is_the_first_of_the_beam():
    run = run_of(NAME)
    (found, blank), best = run.n_best([WORDS, ""]), run.translate([WORDS])[0]
    scores = [one.score for one in found]
    assert len(found) == 2 and scores == sorted(scores, reverse=True) and len(blank) == 1
    assert (best.text, best.score) == (found[0].text, pytest.approx(found[0].score))


def test_runs_that_fill_devices_are_not_reported():
    runs = [run_of(NAME, scale=scale) for scale in (1.0, 2.0, 3.0)]
    together = Runs.of(runs, Layout(2, 1))
    assert together.reported == 3 and len(jax.tree.leaves(together.params)[0]) == 4
    found = together.teacher_forced([{"source": WORDS, "target": WORDS}], weights=False)
    alone = [
        run.teacher_forced([{"source": WORDS, "target": WORDS}], weights=False) for run in runs
    ]
    assert len(found) == 3
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_allclose(one.losses, other.losses, rtol=1e-5)
        assert one.records == []


def test_a_record_has_the_translation_the_model_and_what_else_is_given():
    run = run_of(NAME)
    best = run.translate([WORDS], weights=True)[0]
    record = run.record(WORDS, best, seed=3)
    assert record.info == {"translation": best.text, "model": run.model.name, "seed": 3}
    assert record.source_words == tuple(WORDS.split())
    assert record.target_words == tuple(best.text.split())
    np.testing.assert_allclose(record.weights["cross/0"], best.weights["cross/0"])
