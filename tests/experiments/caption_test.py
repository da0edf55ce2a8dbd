"""The command that describes images: files of every kind, examples of the test set, and what it refuses."""

import jax
import numpy as np
import pytest
from PIL import Image as pillow

import attention_lab
from attention_lab.data.images import ImageFile
from attention_lab.data.rosetta.pictures import rosetta_pictures
from tests.experiments.in_process import run_command
from tests.runs.limits_test import run_of
from tests.tasks.tiny import trained

pytestmark = pytest.mark.xdist_group("task captioning")


@pytest.fixture(scope="module", autouse=True)
def single_precision():
    """As commands compute."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory, single_precision):
    return trained("captioning", tmp_path_factory)


@pytest.fixture
def picture(tmp_path):
    (example,) = rosetta_pictures("test", 1, vocabulary=4)
    pillow.fromarray(example["source"].pixels()).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def described(workdir, *words):
    result = run_command("caption", f"--workdir={workdir}", *map(str, words))
    return result.status, result.stdout.decode(), result.stderr.decode()


def test_an_image_in_a_file_is_described_as_that_of_the_corpus_is(workdir, picture):
    run = attention_lab.load(workdir)
    (expected,) = run.translate([ImageFile(str(picture))])
    assert described(workdir, picture)[:2] == (0, f"{expected.text}\n")
    assert described(workdir, "--number=0")[:2] == (0, f"{expected.text}\n")
    assert described(workdir, picture, picture, "--beam=2")[1].count("\n") == 2


def test_where_it_looked_is_printed_and_drawn_over_the_picture(workdir, picture, tmp_path):
    target = tmp_path / "where.png"
    status, out, _ = described(workdir, picture, "--show_attention", f"--save_heatmap={target}")
    assert status == 0 and f"picture  {target}" in out
    assert any(shade in out for shade in "█@")
    assert np.asarray(pillow.open(target)).std() > 20
    shown = described(workdir, "--number=0", "--show_attention")[1]
    assert shown.splitlines()[1].startswith("picture of ")


def test_what_cannot_be_read_leaves_the_others_described(workdir, picture, tmp_path):
    (tmp_path / "b.png").write_text("no image", encoding="utf-8")
    status, out, err = described(workdir, tmp_path / "b.png", picture, tmp_path / "c.png")
    lines = out.split("\n")
    assert status == 1 and lines[0] == lines[2] == "" and lines[1]
    assert "b.png is no image that can be read" in err and "there is no file" in err
    assert err.count("\n") >= 2 and "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give either files or --number"),
        (("a.png", "--number=1"), "give either files or --number"),
        (("a.png", "b.png", "--save_heatmap=c.png"), "draws one file, and 2 are given"),
        (("a.png", "--save_heatmap=c.jpg"), "the name must end in .png"),
        (("--number=60",), "--number=60: the test set has 60 examples"),
    ],
)
def test_what_is_not_possible_is_one_line(workdir, words, message):
    status, out, err = described(workdir, *words)
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1


def test_a_model_that_reads_something_else_is_refused(workdir, monkeypatch):
    monkeypatch.setattr("attention_lab.runs.opened", lambda folder: run_of("location"))
    status, _, err = described("runs/other", "a.png")
    assert status == 2 and "--workdir=runs/other: this model reads texts, not images" in err
    monkeypatch.undo()
    result = run_command("translate", f"--workdir={workdir}", "a sentence")
    assert result.status == 2 and b"reads images; use experiments.caption" in result.stderr
