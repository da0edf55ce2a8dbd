"""One translation for each sentence, also of those that a model cannot read: these say why there is none."""

import functools

import jax
import numpy as np
import pytest

from attention_lab.data.tokenizer import train
from attention_lab.data.vocabularies import Codec
from attention_lab.decoding import COARSE, FINE
from attention_lab.evaluation.alignment import best_layer, predicted_links
from attention_lab.models import make_model
from attention_lab.runs import Run, Runs
from attention_lab.runs.outputs import is_cross
from attention_lab.special_tokens import END
from attention_lab.training.replicas import Layout
from tests.models.small import STRUCTURES, example, params_of

WORDS = "the cat sat on a mat"
SENTENCES = [WORDS, " ".join(["cat"] * 30), "", "the mat"]
SHAPE = {"encoding": "learned", "features": 8, "heads": 2, "feed_forward": 8, "layers": 1}
MODELS = {
    "learned positions": (
        {"kind": "transformer", **SHAPE},
        {"kind": "transformer", **SHAPE},
    ),
    "location": (
        {"kind": "recurrent", "embedding": 6, "features": 6},
        {"kind": "bahdanau", "attention": {"score": "location"}, "embedding": 6, "hidden": 6},
    ),
}


LINKED = [
    {"source": WORDS, "target": "the mat", "links": [(0, 0), (5, 1)]},
    {"source": SENTENCES[1], "target": "the mat", "links": [(0, 0)]},
    {"source": "the mat", "target": SENTENCES[1], "links": [(0, 0)]},
    {"source": "", "target": "the mat", "links": []},
]


@functools.cache
def run_of(name, positions=24, scale=1.0):
    sides = dict(zip(("encoder", "decoder"), MODELS[name], strict=True))
    for side in sides.values():
        if side["kind"] != "recurrent":
            side["positions"] = positions
    tokenizer = train("word", [WORDS], 20)
    model = make_model(len(tokenizer), len(tokenizer), **sides)
    params = jax.tree.map(lambda x: scale * x, params_of(model, seed=2))
    config = {"decoding": {"beam": 2, "longest": (2, 0.5)}}
    return Run(config, model, params, Codec(tokenizer, tokenizer))


@pytest.mark.parametrize("name", MODELS)
def test_a_sentence_that_a_model_cannot_read_is_empty_and_says_why(name):
    run = run_of(name)
    found = run.translate(SENTENCES)
    assert len(found) == len(SENTENCES)
    assert found[1].refused == "31 source tokens, and the model reads at most 24"
    assert (found[1].text, found[1].ended) == ("", False)
    assert [one.refused for one in (found[0], *found[2:])] == [None] * 3
    assert found[0].ids.size and np.isfinite(found[0].score)
    assert [best[0].refused for best in run.n_best(SENTENCES)] == [one.refused for one in found]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("step", [FINE, COARSE])
def test_a_sentence_that_fits_is_read_though_padding_to_a_step_would_not_fit(name, step):
    run = run_of(name, positions=20)  # no multiple of a step
    (found,) = run.translate([" ".join(["cat"] * 19)], step=step)
    assert found.refused is None and np.isfinite(found.score)
    (record,) = run.teacher_forced([{"source": " ".join(["cat"] * 19), "target": WORDS}]).records
    assert record.weights["cross/0"].sum() > 0


@pytest.mark.parametrize("name", MODELS)
def test_a_pair_that_a_model_cannot_read_has_a_record_that_links_nothing(name):
    run = run_of(name)
    looked = run.teacher_forced(LINKED).records
    assert [len(record.source_words) for record in looked] == [6, 30, 2, 0]
    # location counts source positions alone.
    target = "31 target tokens, and the model reads at most 24"
    target = target if name == "learned positions" else None
    whys = [record.info.get("refused") for record in looked]
    assert whys == [None, "31 source tokens, and the model reads at most 24", target, None]
    for record, why in zip(looked, whys, strict=True):
        assert all(bool(weights.any()) == (why is None) for weights in record.weights.values())
    choice = best_layer(looked)
    found, alone = predicted_links(looked, choice), predicted_links(looked[:1], choice)
    assert found[:2] == [*alone, frozenset()]


@pytest.mark.parametrize("name", MODELS)
def test_runs_side_by_side_refuse_what_one_refuses(name):
    run = run_of(name)
    both = Runs.of([run, run], Layout(1))
    for found in both.translate(SENTENCES):
        message = [(one.text, one.refused) for one in run.translate(SENTENCES)]
        assert [(one.text, one.refused) for one in found] == message
    alone = run.teacher_forced(LINKED)
    for each in both.teacher_forced(LINKED):
        assert [one.info for one in each.records] == [one.info for one in alone.records]
        np.testing.assert_allclose(each.losses, alone.losses, rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_losses_are_those_of_the_target_and_0_where_it_cannot_be_read(name):
    run = run_of(name)
    losses = run.teacher_forced(LINKED, weights=False).losses
    lengths = [3, 0, 0 if name == "learned positions" else 31, 3]
    assert losses[:, 1].tolist() == lengths and run.teacher_forced([]).losses.shape == (0, 2)
    for (loss, length), one in zip(losses, LINKED, strict=True):
        pair = [[*run.codec.source.encode(one[side]).ids, END] for side in ("source", "target")]
        if not length:
            assert loss == 0
            continue
        logits = run.model.apply(run.params, example(*pair)).logits
        chosen = jax.nn.log_softmax(logits)[np.arange(len(pair[1])), np.array(pair[1])]
        assert loss == pytest.approx(-float(chosen.sum()), rel=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_where_nothing_can_be_read_there_is_a_line_and_a_record_of_each(name):
    run = run_of(name, positions=2)
    assert [one.refused is None for one in run.translate([WORDS, "cat", WORDS])] == [0, 1, 0]
    assert all(one.refused for one in run.translate([WORDS, WORDS]))
    looked = run.teacher_forced(LINKED[:2]).records
    assert ["refused" in record.info for record in looked] == [True, True]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_that_its_table_is_too_short(name):
    run = run_of(name)
    ids = np.full(25, 5)
    with pytest.raises(ValueError, match="supports 24 positions, but there are 25"):
        run.model.apply(run.params, example(ids, ids[:3]))
    if name == "learned positions":
        with pytest.raises(ValueError, match="supports 24 positions, but there are 25 tokens"):
            run.model.apply(run.params, example(ids[:3], ids))


@pytest.mark.parametrize("name", MODELS)
def test_a_translation_that_ends_at_once_is_one_empty_text(name):
    run = run_of(name)

    def step(*given, **options):
        state, output = run.model.step(*given, **options)
        return state, output._replace(logits=output.logits.at[..., END].add(1e4))

    ending = run._replace(model=run.model._replace(step=step))
    for beam in (1, 2):
        found = ending.translate([WORDS, "", "cat"], beam=beam)
        assert [(one.text, one.ended, one.refused) for one in found] == [("", True, None)] * 3
    assert ending.record(WORDS, ending.translate([WORDS], weights=True)[0]).target_words == ()


@pytest.mark.parametrize("name", MODELS)
def test_a_search_of_no_token_is_refused(name):
    for longest in ((0, 0.0), (0, 0.5)):
        with pytest.raises(ValueError, match="allows no token for an empty sentence"):
            run_of(name).translate(["cat"], longest=longest)
    (found,) = run_of(name).translate(["cat"], longest=(1, 0.0))
    assert len(found.ids) == 1


def test_a_target_ends_where_the_model_s_positions_end():
    run = run_of("learned positions")
    (found,) = run.translate([WORDS], longest=(200, 0.0))
    assert len(found.ids) <= 24 and np.isfinite(found.score)
    (greedy,) = run.translate([WORDS], longest=(200, 0.0), beam=1)
    assert len(greedy.ids) <= 24 and np.isfinite(greedy.score)


def test_a_model_of_no_numbers_says_so_for_each_sentence():
    run = run_of("learned positions", scale=float("nan"))
    found = run.translate(SENTENCES)
    assert ["not be finite" in (one.refused or "") for one in found] == [True, False, False, True]
    assert all(one.text == "" for one in found)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_reads_one_token_says_where_it_attends(name):
    layers = {"location": [], "learned positions": ["decoder/0", "encoder/0"]}[name]
    assert run_of(name, positions=1).attention_layers() == ["cross/0", *layers]


def test_one_string_is_not_taken_for_its_letters():
    for translate in (run_of("location").translate, run_of("location").n_best):
        with pytest.raises(ValueError, match="put it in a list"):
            translate("the cat")


@pytest.mark.parametrize("make", STRUCTURES.values(), ids=STRUCTURES)
def test_only_tables_of_positions_limit_a_model(make):
    model = make()
    params = jax.eval_shape(model.init, jax.random.key(0))
    limits = model.limits(params)
    assert limits[:2] == ((24, 24) if "encoder/positions/table" in places(params) else (None, None))


def places(params):
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves}


def test_the_bytes_of_records_are_those_of_their_weights():
    run = run_of("learned positions")
    both = Runs.of([run, run], Layout(1))
    records = run.teacher_forced(LINKED[:1]).records
    expected = sum(weights.nbytes for weights in records[0].weights.values())
    assert both.record_bytes(LINKED[:1]) == 2 * expected > 0
    (only,) = Runs.of([run]).teacher_forced(LINKED, layers=is_cross)
    assert {tuple(record.weights) for record in only.records} == {("cross/0",)}
