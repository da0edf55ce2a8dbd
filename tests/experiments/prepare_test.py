"""Preparing datasets for TFDS as a user does it, and training's corpus from what was prepared."""

import json
import shutil

import pytest

from attention_lab.data.sources import load
from attention_lab.runs import setup
from configs import tfds
from tests.experiments.commands import ROOT, command

MULTI30K = ROOT.parent / "shared" / "data" / "multi30k"
# A net in which nobody answers: port 9 discards.
NO_NET = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "no_proxy": ""}


def test_a_prepared_dataset_is_a_corpus_to_train_on(tmp_path):
    options = ("--options=size=30", f"--data_dir={tmp_path}")
    for name in ("rosetta", "again"):
        result = command("prepare", "rosetta", *options, f"--name={name}")
        assert result.returncode == 0, result.stderr
        assert not result.stderr
        assert "train 30, validation 30, test 30, test_long 30" in result.stdout
        assert f"--config=configs/tfds.py:{name} --config.data.options.data_dir=" in result.stdout
    config = tfds.get_config("again")
    config.tokenizer.size = 300
    config.data.options.data_dir = str(tmp_path)
    corpus = setup.corpus_of(json.loads(config.to_json_best_effort()))
    assert len(corpus.rows) == len(corpus.validation) == 30
    assert "links" in corpus.validation[0]
    assert len(corpus.codec.target) < len(corpus.codec.source)


@pytest.mark.skipif(not MULTI30K.exists(), reason="Multi30k is not beside the project")
def test_multi30k_is_prepared_from_what_was_downloaded_or_from_a_folder(tmp_path):
    downloads = tmp_path / "downloads" / "multi30k"
    downloads.mkdir(parents=True)
    for path in MULTI30K.glob("*.*.gz"):
        shutil.copy(path, downloads)
    for name, options in {
        "multi30k": (),
        "multi30k_en_fr": (f"--options=source=en,target=fr,path={MULTI30K}",),
    }.items():
        result = command(
            "prepare", "multi30k", *options, f"--data_dir={tmp_path}", environment=NO_NET
        )
        assert result.returncode == 0, result.stderr
        assert f"{name}/1.0.0: train 29,000, validation 1,014, test 1,000" in result.stdout
        assert f"--config=configs/tfds.py:{name} --config.data.options.data_dir=" in result.stdout
    one = load("tfds:multi30k", "test", data_dir=tmp_path)[0]
    assert one["source"] == "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt."
    assert one["target"] == "A man in an orange hat starring at something."
    other = load("tfds:multi30k_en_fr", "test", data_dir=tmp_path)[0]
    assert other["source"] == one["target"] and other["target"].startswith("Un homme avec")


def test_what_cannot_be_downloaded_is_refused_in_one_line_with_the_way_out(tmp_path):
    def message(*words):
        answer = command("prepare", "multi30k", *words, environment=NO_NET)
        assert answer.returncode == 2 and not answer.stdout
        assert answer.stderr.count("\n") == 1, answer.stderr
        return answer.stderr

    downloads = tmp_path / "downloads" / "multi30k"
    text = message(f"--data_dir={tmp_path}")
    assert "/raw/train.de.gz cannot be reached: Connection refused; without a network, put" in text
    assert f"put train.de.gz into {downloads} by hand\n" in text
    (downloads / "train.de").write_text("Ein anderer Text.\n")
    text = message(f"--data_dir={tmp_path}")
    assert f"{downloads}/train.de: the sha256 of its content is " in text
    assert "2c2b73fd2b54.. was expected; it is damaged or another version; replace" in text
    assert text == message(f"--options=path={downloads}", f"--data_dir={tmp_path}")
    assert (downloads / "train.de").read_text() == "Ein anderer Text.\n"
    text = message("--data_dir=/proc/nowhere")
    assert "/proc/nowhere/downloads/multi30k/train.de.gz cannot be written: No such file or" in text
    assert "did you mean 'path'?" in message("--options=paht=x", f"--data_dir={tmp_path}")
    assert "there is no folder no/where with train.de" in message("--options=path=no/where")


def test_texts_and_questions_are_prepared_under_the_names_of_their_options(tmp_path):
    (tmp_path / "mine.txt").write_text("One line.\n" * 20)
    options = f"--options=path={tmp_path}/mine.txt,train_fraction=0.5,documents=line"
    result = command("prepare", "text_files", options, f"--data_dir={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert "text_files/1.0.0: train 10, validation 10, test 10" in result.stdout
    assert (
        "with the config of a language model: --config.data.name=tfds:text_files" in result.stdout
    )
    assert load("tfds:text_files", "train", data_dir=tmp_path)[0] == {"text": "One line."}
    (tmp_path / "en").mkdir()
    for part in ("train", "test"):
        story = "1 Mary sat.\n2 Who sat? \tMary\t1\n"
        (tmp_path / "en" / f"qa2_x_{part}.txt").write_text(story * 20)
    options = f"--options=path={tmp_path},task=2,size=1k"
    result = command("prepare", "babi", options, f"--data_dir={tmp_path}")
    assert "babi_2_1k/1.0.0: train 18, validation 2, test 20" in result.stdout, result.stderr
    example = load("tfds:babi_2_1k", "test", data_dir=tmp_path)[0]
    assert example["sentence_of"] == [0, 0, 0, -1, -1, -1] and example["supporting"] == [0]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "give the name of one dataset"),
        (("rosettta",), "did you mean 'rosetta'?"),
        (("rosetta", "--options=sizes=3"), "did you mean 'size'?"),
        (("rosetta", "--options=size"), "an option is name=value"),
        (("tfds:nope",), "TFDS has no dataset 'nope'"),
        (("tfds:opus/medical", "--name=mine"), "not to tfds:opus/medical of TFDS"),
        (
            ("rosetta", "--options=size=6", "--data_dir=/proc/nowhere"),
            "/proc/nowhere: No such file",
        ),
    ],
)
def test_what_cannot_be_prepared_is_refused_in_one_line(words, why):
    result = command("prepare", *words)
    assert result.returncode == 2
    assert why in result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
