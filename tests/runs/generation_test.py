"""Generated texts: alone as among others, streamed as at once, within their settings, or refused in one line."""

import functools
import itertools

import jax
import numpy as np
import pytest

from attention_lab.data.tokenizer import train
from attention_lab.data.vocabularies import Codec
from attention_lab.models import make_model
from attention_lab.padded import pad
from attention_lab.runs import Run, generate, sampling_of, stream
from attention_lab.runs.generation import reads_source
from attention_lab.special_tokens import END, PAD, START, UNKNOWN
from tests.models.small import params_of, row
from tests.runs.limits_test import WORDS
from tests.runs.limits_test import run_of as translator_of

TEXT = "the cat sat on a mat; a dog, q\u0303 and the den."
GPT = {"features": 8, "heads": 2, "feed_forward": 8, "layers": 1, "encoding": "learned"}
PROMPTS = ["the cat", "", "a dog sat on"]
OPTIONS = {"max_length": 20, "temperature": 1.2, "top_k": 12}


@functools.cache
def gpt(positions=64, bytes_too=False):
    tokenizer = train("char", [TEXT], 300, byte_fallback=bytes_too)
    decoder = {"kind": "transformer", "positions": positions, **GPT}
    model = make_model(len(tokenizer), len(tokenizer), encoder={"kind": "nothing"}, decoder=decoder)
    params = params_of(model)
    return Run({}, model, params, Codec(tokenizer, tokenizer))


@functools.cache
def texts(samples=2, seed=3, **options):
    return generate(gpt(), PROMPTS, samples=samples, seed=seed, **OPTIONS, **options)


def test_a_text_is_what_its_tokens_decode_to_after_the_prompt():
    run = gpt()
    for prompt, own in zip(PROMPTS, texts(), strict=True):
        assert len(own) == 2
        for one in own:
            whole = run.codec.target.decode([*run.codec.target.encode(prompt).ids, *one.ids])
            assert whole.endswith(one.text) and whole.startswith(prompt[:-1])
            assert one.reason == ("end" if one.ids[-1] == END else "length")
            assert len(one.ids) <= 20 and not {PAD, START, UNKNOWN} & set(one.ids.tolist())
            assert (one.reason == "length") == (END not in one.ids)
    assert {one.reason for own in texts() for one in own} == {"end", "length"}


def test_log_probabilities_are_the_model_s():
    run, none = gpt(), row(pad([np.empty(0, np.int32)], 0), 0)
    apply = jax.jit(run.model.apply)
    for prompt, own in zip(PROMPTS, texts(), strict=True):
        known = run.codec.target.encode(prompt).ids
        for one in own:
            target = [*known, *one.ids]
            padded = row(pad([np.array(target, np.int32)], 40), 0)
            logits = apply(run.params, {"source": none, "target": padded}).logits
            logs = jax.nn.log_softmax(logits)[np.arange(len(target)), np.array(target)]
            assert one.log_probability == pytest.approx(float(logs[len(known) :].sum()), rel=1e-4)


def test_a_text_depends_on_its_prompt_seed_and_number_alone():
    once = texts()
    more = generate(gpt(), [*PROMPTS[::-1], "the"], samples=3, seed=3, **OPTIONS, rows=4)
    for own, other in zip(once, more[:3][::-1], strict=True):
        assert [one.text for one in own] == [one.text for one in other[:2]]
    assert len({one.text for own in more for one in own}) == 12
    others = texts(seed=4)
    assert [[one.text for one in own] for own in others] != [[o.text for o in own] for own in once]


# Which characters of two of the texts are stop strings: one, several, and more than a text has.
@pytest.mark.parametrize("places", [[], [slice(4, 5)], [slice(6, 9), slice(3, 5)], [slice(99)]])
def test_a_stream_is_the_text_in_pieces_and_has_no_stop_string(places):
    written = sorted((one.text for own in texts() for one in own), key=len)[-2:]
    stop = tuple(text[place] for text in written for place in places)
    found = texts(stop=stop)
    for prompt, own, whole in zip(PROMPTS, found, texts(), strict=True):
        for number, one in enumerate(own):
            pieces = stream(gpt(), prompt, number=number, seed=3, stop=stop, **OPTIONS)
            joined = "".join(pieces)
            assert joined == one.text == pieces.text and pieces.reason == one.reason
            assert pieces.ids == one.ids.tolist()
            assert not any(each in one.text for each in stop)
            # What is before a stop string is as without it.
            assert whole[number].text.startswith(one.text)
            assert (one.reason == "stop") == any(each in whole[number].text for each in stop)
    assert not places or any(one.reason == "stop" for own in found for one in own)


def test_a_stream_gives_pieces_while_it_runs():
    pieces = stream(gpt(), "the cat", seed=3, **OPTIONS)
    assert pieces.reason is None and pieces.text == ""
    first = next(pieces)
    assert first == pieces.text and len(pieces.ids) <= 3
    assert first + "".join(pieces) == pieces.text and pieces.reason in ("end", "length")


def test_bytes_appear_as_whole_characters():
    run = gpt(bytes_too=True)
    for seed in range(3):
        options = {"seed": seed, "max_length": 20, "temperature": 1.0}
        pieces = list(stream(run, "a", **options))
        (one,) = generate(run, ["a"], **options)[0]
        assert "".join(pieces) == one.text
        assert any(START < i - 1 < 259 for i in one.ids)  # there were bytes


def test_settings_that_nothing_may_break():
    options = {**OPTIONS, "no_repeat_ngram": 2, "min_length": 5, "end": [END, 7], "banned": [4]}
    for own in generate(gpt(), PROMPTS, samples=2, **options):
        for one in own:
            ids = one.ids.tolist()
            assert 4 not in ids and len(ids) > 5 and not {END, 7} & set(ids[:5])
            assert one.reason == ("end" if ids[-1] in (END, 7) else "length")
            assert len(set(itertools.pairwise(ids))) == len(ids) - 1
    for own in generate(gpt(), PROMPTS, **{**OPTIONS, "no_repeat_ngram": 1, "max_length": 60}):
        ids = own[0].ids.tolist()
        assert len(set(ids)) == len(ids) and own[0].reason in ("end", "nothing")


def test_reserved_tokens_are_generated_only_where_they_end_a_text():
    tokenizer = train("char", ["ab"], 40, extra=30)
    decoder = {"kind": "transformer", "positions": 32, **GPT}
    size = len(tokenizer)
    model = make_model(size, size, encoder={"kind": "nothing"}, decoder=decoder)
    run = Run({}, model, params_of(model), Codec(tokenizer, tokenizer))
    reserved = range(size - 30, size)
    (own,) = generate(run, [[4, size - 1]], samples=4, max_length=20, end=())
    assert all(len(one.text) == sum(one.ids != END) for one in own)
    assert not {UNKNOWN, *reserved} & {i for one in own for i in one.ids.tolist()}
    (own,) = generate(run, ["a"], samples=4, max_length=20, end=(END, size - 1, UNKNOWN))
    assert {one.ids.tolist()[-1] for one in own if one.reason == "end"} <= {END, size - 1, UNKNOWN}
    assert any(one.reason == "end" for one in own)


def test_a_prompt_longer_than_the_table_is_read_from_its_last_half():
    run = gpt(positions=16)
    ids = run.codec.target.encode("on a mat").ids
    assert len(ids) == 8
    options = {**OPTIONS, "max_length": 40, "end": ()}
    long = "the cat sat on a mat"
    (cut,) = generate(run, [long], **options)[0]
    (own,) = generate(run, [ids], **options, start=False)[0]
    assert cut.ids.tolist() == own.ids.tolist() and len(cut.ids) == 40
    assert "".join(stream(run, long, **options)) == cut.text == own.text


def test_prompts_may_be_ids():
    run = gpt()
    ids = run.codec.target.encode(PROMPTS[0]).ids
    for given in (ids, np.array(ids)):
        assert generate(run, [given], seed=3, **OPTIONS)[0][0].text == texts()[0][0].text
    for wrong in ([-1], [len(run.codec.target)], [[4]]):
        with pytest.raises(ValueError, match="list of ids from 0 to"):
            generate(run, [wrong])


def test_a_model_with_a_source_writes_what_greedy_decoding_does():
    run = translator_of("learned positions")
    assert reads_source(run) and not reads_source(gpt())
    settings = {"max_length": 5, "temperature": 0, "end": (END,)}
    sources = [WORDS, "the mat", "", " ".join(["cat"] * 30)]
    found = [own[0] for own in generate(run, sources, **settings)]
    expected = run.translate(sources[:2], beam=1, longest=(5, 0.0))
    for one, other in zip(found, expected, strict=False):
        assert one.ids.tolist() == other.ids.tolist() and one.text == other.text
        assert one.log_probability == pytest.approx(other.score * (5 + len(one.ids)) / 6, rel=1e-4)
    assert [one.reason for one in found[2:]] == [
        "the prompt is blank",
        "31 source tokens, and the model reads at most 24",
    ]
    refused = stream(run, "", **settings)
    assert list(refused) == [] and refused.reason == "the prompt is blank"
    begun = generate(run, sources[:2], beginnings=["a mat", ""], **settings)
    assert begun[1][0].text == found[1].text
    streamed = stream(run, sources[0], beginning="a mat", **settings)
    assert "".join(streamed) == begun[0][0].text


def test_progress_counts_texts_and_no_prompt_has_no_text():
    counts = []
    generate(gpt(), PROMPTS, samples=2, seed=3, rows=4, progress=counts.append, **OPTIONS)
    assert counts == [4, 2] and generate(gpt(), []) == []


def test_what_cannot_be_generated_is_refused_in_one_line():
    run = gpt()
    calls = [
        (lambda: generate(run, "the cat"), "put it in a list"),
        (lambda: generate(run, ["a"], temperatur=1), "did you mean 'temperature'"),
        (lambda: stream(run, "a", temperature=-1), "temperature is -1"),
        (lambda: generate(run, ["a"], stop="a"), "list of strings"),
        (lambda: stream(run, "a", stop=[""]), "list of strings"),
        (lambda: generate(run, ["a"], beginnings=["b"]), "no source"),
        (lambda: generate(run, ["a"], samples=0), "samples is 0"),
        (lambda: generate(run, ["a"], seed=1.5), r"seed is 1\.5"),
        (lambda: stream(run, "a", seed=-1), "seed is -1"),
        (lambda: generate(run, [None]), "a prompt must be a text"),
        (
            lambda: generate(translator_of("location"), ["a"], beginnings=["b", "c"]),
            "1 prompts, but 2 beginnings",
        ),
    ]
    for call, message in calls:
        with pytest.raises(ValueError, match=message) as error:
            call()
        assert "\n" not in str(error.value)
    assert sampling_of({"banned": [4], "top_k": 3}).banned == (4,)
