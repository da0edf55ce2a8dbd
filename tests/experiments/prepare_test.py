"""Preparing datasets for TFDS as a user does it, and training's corpus from what was prepared."""

import json

import pytest

from configs import tfds
from experiments import translation
from tests.experiments.commands import command


def test_a_prepared_dataset_is_a_corpus_to_train_on(tmp_path):
    options = ("--options=size=30", f"--data_dir={tmp_path}")
    for name in ("rosetta", "again"):
        told = command("prepare", "rosetta", *options, f"--name={name}")
        assert told.returncode == 0, told.stderr
        assert not told.stderr
        assert "train 30, validation 30, test 30, test_long 30" in told.stdout
        assert f"--config=configs/tfds.py:{name} --config.data.options.data_dir=" in told.stdout
    config = tfds.get_config("again")
    config.tokenizer.size = 300
    config.data.options.data_dir = str(tmp_path)
    corpus = translation.corpus_of(json.loads(config.to_json_best_effort()))
    assert len(corpus.pairs) == len(corpus.validation) == 30
    assert "links" in corpus.validation[0]
    assert len(corpus.target_tokenizer) < len(corpus.source_tokenizer)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "say which dataset"),
        (("rosettta",), "did you mean 'rosetta'?"),
        (("rosetta", "--options=sizes=3"), "did you mean 'size'?"),
        (("rosetta", "--options=size"), "an option is name=value"),
        (("tfds:nope",), "TFDS has no dataset 'nope'"),
        (("tfds:opus/medical", "--name=mine"), "tfds:opus/medical has its own"),
        (
            ("rosetta", "--options=size=6", "--data_dir=/proc/nowhere"),
            "/proc/nowhere: No such file",
        ),
    ],
)
def test_what_cannot_be_prepared_is_told_in_one_line(words, why):
    told = command("prepare", *words)
    assert told.returncode == 2
    assert why in told.stderr
    assert told.stderr.count("\n") == 1, told.stderr
