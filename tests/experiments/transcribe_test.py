"""The command that transcribes recordings: files, examples of the test set, and what it refuses."""

import wave

import jax
import numpy as np
import pytest
from PIL import Image as pillow

import attention_lab
from tests.experiments.in_process import run_command
from tests.tasks.tiny import trained

pytestmark = pytest.mark.xdist_group("task speech")


@pytest.fixture(scope="module", autouse=True)
def single_precision():
    """As commands compute."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory, single_precision):
    return trained("speech", tmp_path_factory)


def transcribed(workdir, *words):
    result = run_command("transcribe", f"--workdir={workdir}", *map(str, words))
    return result.status, result.stdout.decode(), result.stderr.decode()


def test_a_recording_in_a_file_is_transcribed_as_that_of_the_corpus_is(workdir, tmp_path):
    pytest.importorskip("soundfile", reason="soundfile is not installed")
    run = attention_lab.load(workdir)
    (example,) = attention_lab.runs.evaluation.examples_of(run, "test")[:1]
    samples = example["source"].samples(8000)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    expected = transcribed(workdir, "--number=0")
    assert expected[0] == 0 and expected[1].count("\n") == 1
    (tmp_path / "b.wav").write_bytes(b"no sound")
    status, out, err = transcribed(workdir, tmp_path / "b.wav", tmp_path / "a.wav")
    assert (status, out) == (1, "\n" + expected[1]) and "no recording that can be read" in err


def test_when_it_listened_is_printed_and_drawn(workdir, tmp_path):
    target = tmp_path / "when.png"
    status, out, _ = transcribed(
        workdir, "--number=1", "--show_attention", f"--save_heatmap={target}"
    )
    assert status == 0 and f"picture  {target}" in out and "0.0 " in out and " s" in out
    assert np.asarray(pillow.open(target)).std() > 20


def test_what_is_not_possible_is_one_line(workdir):
    for words, message in (
        ((), "give either files or --number"),
        (("a.wav", "b.wav", "--save_heatmap=c.png"), "draws one file, and 2 are given"),
        (("--number=60",), "--number=60: the test set has 60 examples"),
    ):
        status, out, err = transcribed(workdir, *words)
        assert (status, out) == (2, "") and message in err and err.count("\n") == 1
    result = run_command("caption", f"--workdir={workdir}", "a.png")
    assert result.status == 2 and b"this model reads recordings, not images" in result.stderr
