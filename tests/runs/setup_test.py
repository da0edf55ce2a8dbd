"""What is done before training: what takes long says so, and what a config cannot mean is reported."""

import contextlib
import time
import warnings
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from attention_lab.runs import setup
from attention_lab.training.optimizer import adam
from tests.models.small import recurrent


def test_what_takes_long_says_so_and_what_does_not_is_silent(monkeypatch, capsys):
    monkeypatch.setattr(setup, "PATIENCE", 0.05)
    with setup.announce_if_slow("preparing the corpus"):
        while not (printed := capsys.readouterr().err):
            time.sleep(0.01)
    monkeypatch.setattr(setup, "PATIENCE", 0.2)
    with setup.announce_if_slow("encoding"):
        pass
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    with setup.announce_if_slow("of another process"):
        time.sleep(0.3)
    assert printed == "preparing the corpus\n" and capsys.readouterr().err == ""


def test_compiled_programs_are_kept_in_the_cache_or_done_without_in_silence(monkeypatch, tmp_path):
    options = []
    monkeypatch.setattr(type(jax.config), "update", lambda self, *words: options.append(words))
    monkeypatch.setattr(setup, "CACHE", tmp_path / "cache")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        setup.enable_compilation_cache()
        warnings.warn("Error writing persistent compilation cache entry: no room", stacklevel=1)
        warnings.warn("Error reading persistent compilation cache entry: no file", stacklevel=1)
        with pytest.raises(UserWarning, match="of another kind"):
            warnings.warn("Error of another kind", stacklevel=1)
    assert options == [
        ("jax_compilation_cache_dir", str(tmp_path / "cache" / "programs")),
        ("jax_persistent_cache_min_compile_time_secs", 0.5),
    ]


def test_a_line_appears_after_two_seconds():
    assert setup.PATIENCE == 2


def config(**training):
    numbers = {"learning_rate": 1e-3, "weight_decay": 0.0, "dropout": 0.1, "label_smoothing": 0.2}
    how = {"microbatches": 1, "compute": "float32", "matmul_precision": "highest"}
    schedule = {"schedule": "constant", "warmup": 10, "final": 0.0, "tokens": 24, "z_loss": 0.5}
    schedule["sampled_inputs"] = 0.25
    data = {"name": "corpus", "test": "other", "options": {"path": "p", "size": 3}}
    return {
        "task": "none",
        "seed": 0,
        "objective": {},
        "mixture": {},
        "initialize_from": "",
        "data": data,
        "training": numbers | how | schedule | training,
    }


@pytest.mark.parametrize(("updates", "unfinished"), [(9, True), (10, True), (11, False)])
def test_a_warmup_that_takes_all_updates_is_warned_of_once(updates, unfinished, monkeypatch):
    message = setup.unfinished_warmup(config(), updates)
    expected = f"training.warmup is 10 updates, and the run has {updates}: "
    assert message.startswith(expected) if unfinished else message == ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        setup.step_of(config(), recurrent(), adam(1.0), updates)
        monkeypatch.setattr(jax, "process_index", lambda: 1)
        setup.step_of(config(), recurrent(), adam(1.0), updates)
    assert [str(one.message) for one in caught] == [message] * unfinished


def test_updates_are_as_many_as_show_the_tokens_of_the_budget():
    # 5 batches have the 12 tokens of an epoch.
    batches = SimpleNamespace(lengths=(np.full(4, 9), np.full(4, 3)), per_epoch=5)
    found = [setup.updates_of(config(tokens=tokens), batches) for tokens in (24, 26, 27, 1)]
    assert found == [10, 10, 11, 1]
    batches.per_epoch = 12
    assert setup.updates_of(config(tokens=2**31 - 1), batches) == 2**31 - 1
    with pytest.raises(ValueError, match=r"tokens is 2,147,483,648, .* 2,147,483,648 updates; "):
        setup.updates_of(config(tokens=2**31), batches)


def test_a_split_without_an_example_is_reported_with_its_options(monkeypatch):
    splits = {name: [{"source": name}] for name in ("train", "validation", "other", "test")}
    task = SimpleNamespace(read=lambda config, split, cache: splits[split])
    monkeypatch.setattr(setup, "task_of", lambda config: task)
    assert setup.split_of(config(), "other") == [{"source": "other"}]
    # Those that a run is trained and judged on, and others where they are asked for.
    digests = setup.data_of(config())
    assert list(digests) == ["train", "validation", "other"] and len(set(digests.values())) == 3
    assert list(setup.data_of(config(), ["test"])) == ["train", "validation", "other", "test"]
    splits["other"] = []
    message = r"the split other of corpus has no example \(path=p, size=3\)"
    with pytest.raises(ValueError, match=message):
        setup.split_of(config(), "other")


def test_the_numbers_that_replicas_may_differ_in_are_traced():
    expected = {"learning_rate": 1e-3, "weight_decay": 0.0, "dropout": 0.1, "label_smoothing": 0.2}
    assert setup.hyper_of(config()) == expected


def test_a_step_has_the_schedule_the_parts_and_the_type_of_its_config(monkeypatch):
    made = []
    monkeypatch.setattr(setup, "make_train_step", lambda *words: made.append(words) or print)
    model, optimizer = recurrent(), adam(1.0)
    setup.step_of(
        config(schedule="cosine", warmup=2, final=0.25, microbatches=3), model, optimizer, 10
    )
    setup.step_of(config(compute="bfloat16"), model, optimizer, 20)
    first, second = made
    assert first[:2] == (model, optimizer) and first[3:] == (3, 0.5, True, 0.25)
    factors = [float(first[2](t)) for t in (0, 1, 2, 10)]
    assert factors == pytest.approx([0.5, 1, 1, 0.25], abs=1e-6)
    assert second[0] != model and second[1] is optimizer and second[3] == 1


def test_batches_are_those_of_the_config_s_seed_and_sizes(monkeypatch):
    monkeypatch.setattr(setup, "Batches", lambda rows, **words: (rows, words))
    found = setup.batches_of({**config(batch_tokens=30, buckets=2), "seed": 7}, "rows")
    assert found == ("rows", {"tokens": 30, "buckets": 2, "seed": 7})


def test_a_corpus_is_encoded_with_the_tokenizers_of_its_folder_or_new_ones(monkeypatch, tmp_path):
    made = []
    splits = {name: [{"source": name, "target": ""}] for name in ("train", "validation")}

    def prepare(config, examples, cache):
        made.append((sorted(config), examples, cache))
        return "new tokenizers"

    task = SimpleNamespace(
        read=lambda config, split, cache: splits[split],
        prepare=prepare,
        encode=lambda config, codec, examples, cache: (sorted(config), codec, examples, cache),
        corpora=lambda config: (config["data"],),
    )
    monkeypatch.setattr(setup, "task_of", lambda config: task)
    nothing = SimpleNamespace(beside=lambda *words: contextlib.nullcontext())
    monkeypatch.setattr(setup.sources, "dataset", lambda name: nothing)
    monkeypatch.setattr(setup, "codec_of", {tmp_path: "known tokenizers"}.get)
    fields = [
        "data",
        "mixture",
        "objective",
        "task",
        "tokenizer",
    ]  # others do not change what a corpus is
    one = {**config(), "tokenizer": {"kind": "of this test"}}
    for folder, codec in ((None, "new tokenizers"), (tmp_path, "known tokenizers")):
        found = setup.corpus_of(one, folder)
        assert found.rows == (fields, codec, splits["train"], setup.CACHE)
        assert found.validation == splits["validation"] and found.codec == codec
        assert list(found.data) == ["train", "validation"] and len(set(found.data.values())) == 2
        assert setup.corpus_of({**one, "training": {}}, folder) is found  # it is kept
    assert made == [(fields, splits["train"], setup.CACHE)]
