"""Objectives: each draws exactly what its definition allows, as often; the papers' numbers; nothing is lost."""

import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from scipy import stats

from attention_lab.data.documents import Document
from attention_lab.data.gap_sentences import importance
from attention_lab.data.noise import NOISES, span_lengths
from attention_lab.data.objectives import OBJECTIVES, longest, make_objective
from tests.data import objective_oracles as oracles

few = settings(max_examples=30, deadline=None, derandomize=True)
RESERVED = range(999, 899, -1)  # of a vocabulary of 1,000 ids
BART = {"kind": "denoising", "noise": ["permutation", {"kind": "infilling", "rate": 0.5}]}
# The options of each objective, its oracle, and the oracle's options.
CASES = [
    ("next_token", oracles.next_token, {}),
    ("prefix", oracles.prefix, {}),
    ({"kind": "prefix", "fraction": 0.4}, oracles.prefix, {"fraction": 0.4}),
    ("span_corruption", oracles.span_corruption, {}),
    (
        {"kind": "span_corruption", "rate": 0.5, "mean": 2},
        oracles.span_corruption,
        {"rate": 0.5, "mean": 2},
    ),
    (
        {"kind": "span_corruption", "rate": 0.75, "mean": 1, "first_kept": True},
        oracles.span_corruption,
        {"rate": 0.75, "mean": 1, "first_kept": True},
    ),
    ("masking", oracles.masking, {}),
    ({"kind": "masking", "rate": 0.4}, oracles.masking, {"rate": 0.4}),
    ({"kind": "deletion", "rate": 0.4}, oracles.deletion, {"rate": 0.4}),
    ("rotation", oracles.rotation, {}),
    ("permutation", oracles.permutation, {}),
    ("infilling", oracles.infilling, {}),
    ({"kind": "infilling", "rate": 0.6, "mean": 1}, oracles.infilling, {"rate": 0.6, "mean": 1}),
    (BART, oracles.permuted_and_infilled, {"rate": 0.5}),
    ("gap_sentences", oracles.gap_sentences, {}),
    ({"kind": "gap_sentences", "unique": True}, oracles.gap_sentences, {"unique": True}),
    (
        {"kind": "gap_sentences", "select": "random", "rate": 0.5},
        oracles.gap_sentences,
        {"select": "random", "rate": 0.5},
    ),
    ({"kind": "gap_sentences", "select": "lead"}, oracles.gap_sentences, {"select": "lead"}),
]
# Sentences of words of ids: none, one, two, and some with words of several ids and equal ids.
SMALL = [
    [],
    [[[4]]],
    [[[4, 5]]],
    [[[4], [5]]],
    [[[4]], [[5]]],
    [[[4, 5], [6]], [[7]]],
    [[[4], [5], [6], [7], [8]]],
    [[[4, 5], [6]], [[7, 8]], [[9], [4]]],
    [[[4]], [[4], [5, 6]], [[5], [7]]],
]
every_case = pytest.mark.parametrize(
    ("options", "oracle", "own"), CASES, ids=[str(n) + oracle.__name__ for n, (_, oracle, _) in enumerate(CASES)]
)  # fmt: skip
documents = st.lists(
    st.lists(st.integers(1, 3), min_size=1, max_size=6), max_size=7
)  # the sizes of words of sentences
seeds = st.integers(0, 2**32)


def distinct(sizes):
    """The document of words of these sizes whose ids are 10, 11, .."""
    ids = iter(range(10, 1000))
    return [[[next(ids) for _ in range(size)] for size in sentence] for sentence in sizes]


def drawn(objective, document, seed):
    source, target = objective.apply(document, np.random.default_rng(seed))
    assert source.dtype == target.dtype == np.int32
    return source.tolist(), target.tolist()


@every_case
@pytest.mark.parametrize("document", SMALL, ids=lambda d: f"{len(oracles.flat(d))}-{len(d)}")
def test_its_draws_are_those_of_the_oracle_and_as_frequent(options, oracle, own, document):
    objective, given = make_objective(options, RESERVED), oracles.as_arrays(document)
    expected = oracle(document, RESERVED, **own)
    assert sum(expected.values()) == pytest.approx(1)
    rng = np.random.default_rng(1)
    draws = 3000 if len(expected) > 1 else 20
    found = Counter(
        tuple(tuple(s.tolist()) for s in objective.apply(given, rng)) for _ in range(draws)
    )
    assert not found.keys() - expected.keys()
    # Rare outcomes are one class.
    common = [pair for pair, p in expected.items() if p * draws >= 5]
    counts = np.array([found[pair] for pair in common])
    hopes = np.array([expected[pair] for pair in common]) * draws
    counts, hopes = np.append(counts, draws - counts.sum()), np.append(hopes, draws - hopes.sum())
    if hopes[-1] < 5:
        counts[-2:], hopes[-2:] = (counts[-2:].sum(), 0), (hopes[-2:].sum(), 0)
        counts, hopes = counts[:-1], hopes[:-1]
    if len(counts) > 1:
        assert stats.chisquare(counts, hopes).pvalue > 1e-3


def test_every_objective_and_every_noise_has_a_case():
    kinds = {options if isinstance(options, str) else options["kind"] for options, _, _ in CASES}
    assert kinds == {*OBJECTIVES, *NOISES}


@every_case
@few
@given(sizes=documents, seed=seeds)
def test_no_draw_exceeds_the_bound_and_none_changes_the_document(options, oracle, own, sizes, seed):
    objective = make_objective(options, RESERVED)
    document = oracles.as_arrays(distinct(sizes))
    kept = [field.copy() for field in document]
    source, target = drawn(objective, document, seed)
    n = document.ids.size
    most = objective.bound(n)
    assert len(source) <= most[0] and len(target) <= most[1]
    for field, before in zip(document, kept, strict=True):
        np.testing.assert_array_equal(field, before)
    assert drawn(objective, document, seed) == (source, target)
    reserved = {i for i in source + target if i in RESERVED}
    assert reserved <= set(RESERVED[: objective.reserved(n)])


@every_case
@few
@given(sizes=documents, seed=seeds)
def test_no_token_is_lost(options, oracle, own, sizes, seed):
    document = distinct(sizes)
    ids = oracles.flat(document)
    source, target = drawn(make_objective(options, RESERVED), oracles.as_arrays(document), seed)
    if oracle is oracles.span_corruption:
        assert restored(source, target) == ids
    elif oracle is oracles.gap_sentences:
        # The ids increase: what was kept and what was picked are both in order.
        left = [i for i in source if i not in RESERVED]
        assert left == sorted(left) and target == sorted(target)
        assert sorted(left + target) == ids
    elif oracle in (oracles.next_token, oracles.prefix):
        assert source + target == ids
    else:
        assert target == ids and len(set(source) - set(RESERVED) - set(ids)) == 0


def restored(source, target):
    """The document of T5's source and target: each sentinel of the source stands for what follows it in the target."""
    spans, last = {}, None
    for i in target:
        if i in RESERVED:
            last = i
            spans[last] = []
        else:
            spans[last].append(i)
    assert list(spans) == list(RESERVED[: len(spans)])
    return [i for one in source for i in (spans.pop(one) if one in RESERVED else [one])]


CORRUPTIONS = [
    "span_corruption", "masking", "deletion", "infilling", BART, {"kind": "gap_sentences", "select": "random"},
]  # fmt: skip


@pytest.mark.parametrize("options", CORRUPTIONS, ids=str)
@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_every_token_can_be_hidden(options, count):
    document = oracles.as_arrays([[[i] for i in range(10 + n, 60, count)] for n in range(count)])
    short = oracles.as_arrays([[[10 + i]] for i in range(count)])
    for one in (document, short):
        objective, rng = make_objective(options, RESERVED), np.random.default_rng(0)
        sources = [set(objective.apply(one, rng)[0].tolist()) for _ in range(600)]
        hidden = set().union(*(set(one.ids.tolist()) - source for source in sources))
        assert hidden == set(one.ids.tolist())


@pytest.mark.parametrize("options", [options for options, _, _ in CASES], ids=str)
def test_a_bound_does_not_decrease_with_the_length(options):
    bounds = np.array([make_objective(options, RESERVED).bound(n) for n in range(700)])
    assert (np.diff(bounds, axis=0) >= 0).all() and (bounds[0] == 0).all()


@pytest.mark.parametrize("first_kept", [False, True])
def test_t5_s_numbers_are_the_published_ones(first_kept):
    options = {"kind": "span_corruption", "first_kept": first_kept}
    objective = make_objective(options, RESERVED)
    ids = np.arange(4, 572, dtype=np.int32)
    for seed in range(20):
        source, target = drawn(objective, Document(ids), seed)
        assert len(source) + 1 == 512 and len(target) + 1 == 114  # with END
        spans = sum(i in RESERVED for i in target)
        assert spans == 28 and len(target) - spans == round(0.15 * 568) == 85
        assert (len(target) - spans) / spans == pytest.approx(3, abs=0.1)
        if first_kept:
            assert source[0] == 4 and target[-1] == 571
    assert longest(objective, 512, 114) == 568
    assert longest(objective, 512, 10_000) == 568


def test_t5_s_released_masks_hide_the_end_of_a_short_document_only():
    released = make_objective({"kind": "span_corruption", "first_kept": True}, RESERVED)
    ours = make_objective("span_corruption", RESERVED)
    for n in range(2, 31):
        document = Document(np.arange(10, 10 + n, dtype=np.int32))
        targets = [[drawn(one, document, s)[1] for s in range(300)] for one in (released, ours)]
        hidden = max(1, round(0.15 * n))
        assert all(target[1:] == list(range(10 + n - hidden, 10 + n)) for target in targets[0])
        assert {target[1] for target in targets[1]} == set(range(10, 11 + n - hidden))


def test_infilling_hides_thirty_percent_of_words_in_spans_of_poisson_lengths():
    lengths = span_lengths(np.random.default_rng(0), 30_000, 3.0)
    assert lengths.sum() == 30_000
    counts = np.bincount(lengths[:-1], minlength=9)  # the last is cut
    counts = np.append(counts[:8], counts[8:].sum())
    p = stats.poisson(3).pmf(range(8))
    assert stats.chisquare(counts, np.append(p, 1 - p.sum()) * counts.sum()).pvalue > 1e-3
    # Of 10,000 words of one to three ids, 3,000 are hidden, in about 1,000 spans.
    sizes = np.random.default_rng(1).integers(1, 4, 10_000)
    ids = np.arange(10, 10 + sizes.sum(), dtype=np.int32)
    document = Document(ids, np.repeat(np.arange(10_000), sizes))
    source, _ = make_objective("infilling", [5]).apply(document, np.random.default_rng(2))
    kept = np.bincount(document.word_of[source[source != 5] - 10], minlength=10_000)
    assert ((kept == 0) | (kept == sizes)).all() and (kept == 0).sum() == 3_000
    assert 900 < (source == 5).sum() < 1_100


def test_infilling_numbers_the_words_of_its_result_and_keeps_sentences():
    document = oracles.as_arrays([[[10, 11], [12]], [[13], [14, 15], [16]]])
    for seed in range(50):
        result = NOISES["infilling"]([5], rate=0.5).apply(document, np.random.default_rng(seed))
        word, before = -1, None
        for i, w, s in zip(result.ids.tolist(), result.word_of, result.sentence_of, strict=True):
            old = None if i == 5 else int(document.word_of[i - 10])
            word += old is None or old != before
            before = old
            assert w == word and (i == 5 or s == document.sentence_of[i - 10])
        assert (np.diff(result.sentence_of) >= 0).all()


@few
@given(
    sentences=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=2, max_size=9),
)
def test_gap_sentences_are_picked_as_rouge_says(sentences):
    texts = [" ".join(f"w{i}" for i in sentence) for sentence in sentences]
    scorer = RougeScorer(["rouge1"])
    scores = []
    for s, text in enumerate(texts):
        rest = " ".join(texts[:s] + texts[s + 1 :])
        scores.append(scorer.score(rest, text)["rouge1"].fmeasure)
    document = oracles.as_arrays([[[10 + i] for i in sentence] for sentence in sentences])
    np.testing.assert_allclose(importance(document), scores, atol=1e-12)
    unique = oracles.importances([[[i] for i in sentence] for sentence in sentences], unique=True)
    np.testing.assert_allclose(importance(document, unique=True), unique, atol=1e-12)
    ranked = sorted(range(len(texts)), key=lambda s: (-round(scores[s], 12), s))
    picks = sorted(ranked[: max(1, min(round(0.3 * len(texts)), len(texts) - 1))])
    source, target = drawn(make_objective("gap_sentences", RESERVED), document, 0)
    assert target == [10 + i for s in picks for i in sentences[s]]
    assert source.count(RESERVED[0]) == len(picks)


def test_what_the_tokenizer_does_not_give_has_a_default():
    ids = np.arange(10, 30, dtype=np.int32)
    alone = Document(ids, np.arange(20), np.zeros(20, int))
    for options, _, _ in CASES:
        objective = make_objective(options, RESERVED)
        assert drawn(objective, Document(ids), 3) == drawn(objective, alone, 3)


def test_noises_are_composed_in_their_order():
    # Rotation after permutation moves the ends of sentences; the other order does not.
    document = oracles.as_arrays([[[10], [11]], [[12], [13]]])
    seen = []
    for noise in (["permutation", "rotation"], ["rotation", "permutation"]):
        objective = make_objective({"kind": "denoising", "noise": noise}, RESERVED)
        assert objective.name == "+".join(noise) and objective.bound(4) == (4, 4)
        seen.append({tuple(drawn(objective, document, seed)[0]) for seed in range(200)})
    assert (11, 12, 13, 10) in seen[0] and (10, 11, 13, 12) not in seen[0]
    assert (13, 11, 12, 10) not in seen[0] and (13, 10, 11, 12) in seen[1]
    shorter = make_objective({"kind": "denoising", "noise": ["deletion", "deletion"]}, RESERVED)
    assert shorter.bound(100) == (72, 100) and shorter.reserved(100) == 0


@pytest.mark.parametrize(
    ("options", "reserved", "message"),
    [
        ("span_coruption", RESERVED, "span_corruption"),
        ("infiling", RESERVED, "infilling"),
        ({"rate": 0.1}, RESERVED, "no objective 'None'"),
        ({"kind": "span_corruption", "rat": 0.1}, RESERVED, "option of span_corruption 'rat'.*rate"),
        ({"kind": "masking", "reserved": [1]}, RESERVED, "option of masking 'reserved'"),
        ({"kind": "span_corruption", "rate": 1.5}, RESERVED, "a rate of 1.5 is not a fraction"),
        ({"kind": "prefix", "fraction": 0}, RESERVED, "a rate of 0 is not a fraction"),
        ({"kind": "infilling", "mean": 0}, RESERVED, "mean length of 0; use one of 1 or more"),
        ({"kind": "gap_sentences", "select": "rogue"}, RESERVED, "rouge"),
        ({"kind": "denoising", "noise": "infilling"}, RESERVED, "noise must be a list"),
        ({"kind": "denoising", "noise": ["infiling"]}, RESERVED, "no noise 'infiling'.*infilling"),
        ("infilling", [], "infilling needs a mask"),
        ("gap_sentences", [], "gap_sentences needs a mask"),
    ],
)  # fmt: skip
def test_a_wrong_config_is_refused_in_one_line(options, reserved, message):
    with pytest.raises(ValueError, match=message) as refused:
        make_objective(options, reserved)
    assert "\n" not in str(refused.value)


def test_too_few_sentinels_are_refused():
    objective = make_objective("span_corruption", RESERVED[:3])
    document = Document(np.arange(10, 110, dtype=np.int32))
    assert objective.reserved(100) == 5
    with pytest.raises(ValueError, match=r"100 tokens has 5 hidden spans, .* reserves 3 ids"):
        drawn(objective, document, 0)


def test_a_length_at_which_nothing_fits_is_refused():
    with pytest.raises(ValueError, match="makes no pair of at most 1 and 2 ids"):
        longest(make_objective("span_corruption", RESERVED), 1, 2)
    assert longest(make_objective("next_token", RESERVED), 1, 65) == 64
    assert longest(make_objective("infilling", RESERVED), 64, 100) == 63


def test_t5_s_objective_is_fast():
    objective, rng = make_objective("span_corruption", RESERVED), np.random.default_rng(0)
    document = Document(np.arange(4, 516, dtype=np.int32))
    times = []
    for _ in range(50):
        start = time.perf_counter()
        objective.apply(document, rng)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.2e-3
