"""A run that starts from a pre-trained model: its tokenizers are saved with it, and its parameters are learnt further."""

import json
import pathlib

import jax
import numpy as np
import pytest

import attention_lab
from attention_lab import pretrained
from attention_lab.models.embeddings import UNWRITTEN
from attention_lab.padded import Padded
from attention_lab.pretrained import tokenizer_files, words_of
from attention_lab.pretrained.tokenizer import PretrainedTokenizer
from attention_lab.runs import origin
from attention_lab.special_tokens import END, START
from configs import fine_tuning
from tests.experiments.commands import command
from tests.pretrained.opening_test import bart as bart

WORDS = ("the", "cat", "sat", "dog", "ran", ".")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Sentences of three words, which are copied."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    for split, size in (("train", 200), ("validation", 20), ("test", 20)):
        lines = [" ".join(rng.choice(WORDS, 3)) for _ in range(size)]
        pairs = [json.dumps({"source": line, "target": line}) for line in lines]
        (folder / f"{split}.jsonl").write_text("\n".join(pairs) + "\n", encoding="utf-8")
    return folder


def config_of(bart, corpus, **training):
    config = json.loads(fine_tuning.get_config(f"{bart},quickstart").to_json())
    options = {"path": str(corpus / "{split}.jsonl")}
    config["data"] |= {"name": "files", "options": options, "max_length": 8}
    config["decoding"] |= {"beam": 1, "longest": [8, 0.0]}
    config["showcase"] = []
    small = {"tokens": 2000, "batch_tokens": 100, "buckets": 1, "validations": 2, "warmup": 0}
    config["training"] |= {**small, "learning_rate": 3e-3, "dropout": 0.0, "workers": 0, **training}
    return config


@pytest.fixture(scope="module")
def trained(bart, corpus, tmp_path_factory):
    """A run that started from the model."""
    workdir = tmp_path_factory.mktemp("runs") / "run"
    return attention_lab.train(config_of(bart, corpus), workdir), workdir


def perplexity(run, corpus):
    lines = (corpus / "test.jsonl").read_text().splitlines()
    losses = run.teacher_forced(list(map(json.loads, lines)), weights=False).losses
    return float(np.exp(losses[:, 0].sum() / losses[:, 1].sum()))


def test_training_starts_from_its_parameters_and_lowers_the_loss(trained, bart, corpus, capsys):
    run, _ = trained
    before = attention_lab.from_pretrained(bart)
    assert jax.tree.map(np.shape, run.params) == jax.tree.map(np.shape, before.params)
    assert run.codec == before.codec
    first, last = perplexity(before, corpus), perplexity(run, corpus)
    assert last < 0.7 * first
    # A rate of almost 0 leaves what the folder has.
    still = config_of(bart, corpus, learning_rate=1e-12, tokens=100, validations=1)
    same = attention_lab.train(still, bart.parent / "still")
    assert perplexity(same, corpus) == pytest.approx(first, rel=1e-4)
    assert " not used" not in capsys.readouterr().out


def test_what_is_learnt_is_saved_with_copies_of_tokens(trained, bart, tmp_path):
    run, _ = trained
    opened = pretrained.load(bart)
    copies = opened.words["embeddings"]["copies"]
    assert copies == [(START, END)]  # BART's targets begin with the end of a text
    pretrained.save(opened._replace(params=run.params), tmp_path / "tuned")
    again = pretrained.load(tmp_path / "tuned")
    example = {
        "source": Padded(np.array([4, 5, 6, END]), np.ones(4, bool)),
        "target": Padded(np.array([7, 8, END]), np.ones(3, bool)),
    }
    one, other = (
        np.asarray(opened.model.apply(params, example).logits)
        for params in (run.params, again.params)
    )
    written = opened.order.written
    assert (one[:, ~written] == UNWRITTEN).all()
    np.testing.assert_allclose(one[:, written], other[:, written], atol=1e-5)


def test_the_run_needs_the_folder_of_the_model_no_longer(trained, tmp_path):
    run, workdir = trained
    moved = tmp_path / "moved"
    workdir.rename(moved)
    try:
        loaded = attention_lab.load(moved)
        assert isinstance(loaded.codec.source, PretrainedTokenizer)
        one, other = (each.translate(["the cat sat"])[0].text for each in (run, loaded))
        assert one == other
        told = command("evaluate", f"--workdir={moved}")
        assert told.returncode == 0, told.stderr
    finally:
        moved.rename(workdir)


def test_a_tokenizer_of_a_run_that_is_damaged_is_reported(trained):
    _, workdir = trained
    path = workdir / "source_pretrained_tokenizer.json"
    kept = path.read_bytes()
    damages = {
        b"{": "is damaged",
        b'{"version": 1}': "is damaged",
        b'{"version": 2}': "has version 2, and this program reads 1",
        kept.replace(b"true", b"false", 1): "is not the pretrained_tokenizer with which",
    }
    for content, message in damages.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as raised:
            attention_lab.load(workdir)
        assert "\n" not in str(raised.value)
    path.unlink()
    with pytest.raises(ValueError, match=r"none of source_tokenizer.json, source_pretrained_tok"):
        attention_lab.load(workdir)
    path.write_bytes(kept)
    assert origin.codec_of(pathlib.Path(workdir))


def test_what_is_saved_is_loaded(trained, tmp_path):
    tokenizer = trained[0].codec.source
    tokenizer_files.save(tokenizer, tmp_path / "one.json")
    loaded = tokenizer_files.load(tmp_path / "one.json")
    assert loaded == tokenizer and hash(loaded) == hash(tokenizer)
    assert tokenizer_files.digest_of(loaded) == tokenizer_files.digest_of(tokenizer)


def test_the_config_is_that_of_another_with_the_model_of_the_folder(bart):
    config = fine_tuning.get_config(f"{bart},headlines")
    assert config.task == "summarization" and config.name == "bart_headlines"
    assert config.initialize_from == str(bart)
    assert json.loads(config.model.to_json()) == json.loads(json.dumps(words_of(bart)))
    other = fine_tuning.get_config(f"{bart},scitldr:scratch")
    assert (other.data.name, other.name) == ("scitldr", "bart_scitldr_scratch")
    for which in ("", str(bart), ",headlines"):
        with pytest.raises(ValueError, match="is not FOLDER,CONFIG, such as models/bart-base"):
            fine_tuning.get_config(which)
    for name in ("headline", "defaults", "fine_tuning", ""):
        with pytest.raises(ValueError, match=f"no config '{name}' to train with; known are an4, "):
            fine_tuning.get_config(f"{bart},{name}")
    with pytest.raises(ValueError, match=r"configs/small_world.py accepts no argument"):
        fine_tuning.get_config(f"{bart},small_world:big")
    with pytest.raises(
        ValueError, match="has a source, which does not fit the task language of sh"
    ):
        fine_tuning.get_config(f"{bart},shakespeare")
    with pytest.raises(ValueError, match="there is no folder nothing"):
        fine_tuning.get_config("nothing,headlines")
