"""Commands in places that are not as usual: any path, any locale, folders that cannot be written."""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attention_lab.runs.setup import Corpus
from attention_lab.studies import replica_group
from attention_lab.studies.study import study_of
from attention_lab.training.checkpoint import BEST, Checkpoints
from experiments import command as commands
from tests.experiments import tiny_study
from tests.experiments.commands import PATIENCE, ROOT, command
from tests.experiments.sentences import words

# An ASCII locale, in which Python is kept from taking it for UTF-8.
POSIX = {"PYTHONUTF8": "0", "LC_ALL": "POSIX", "PYTHONPATH": str(ROOT)}
HOSTILE = os.fsdecode(b"run[1]*\xff\n{\xc3\xa9}")


def python(*arguments, folder, **more):
    """What a Python process of its own says and leaves, in that locale."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"}
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment, **POSIX, **more},
        capture_output=True,
        timeout=PATIENCE,
    )
    return result.returncode, result.stdout.decode(), result.stderr.decode()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run under a hostile path, from files with letters that are not ASCII, where no cache can be made."""
    folder = tmp_path_factory.mktemp("places")
    (folder / "runs").touch()
    names = ["zoé", "bob", "eve", "kim"]
    for split in ("train", "validation", "test"):
        lines = [f"my {a} sees my {b}\tmon {a} voit mon {b}\n" for a in names for b in names]
        text = "".join([*lines, "  \n"])  # a line of spaces is blank
        (folder / f"é[{split}].tsv").write_text(text, encoding="utf-8")
    workdir = folder / HOSTILE
    given = words(
        folder,
        workdir,
        **{"training.tokens": 1500, "data.options.path": f"{folder}/é[{{split}}].tsv"},
    )
    given[0] = f"--config={ROOT}/tests/experiments/tiny.py"
    showcase = "--config.showcase=('my zoé sees my bob',)"
    message = python("-m", "experiments.train", *given, showcase, folder=folder)
    return workdir, message


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("places")
def test_a_run_needs_no_locale_no_cache_and_no_plain_path(trained):
    workdir, (status, stdout, stderr) = trained
    assert status == 0, stderr
    assert "my zoé sees my bob" in stdout and "BLEU" in stdout
    assert "arning" not in stderr and "cache" not in stderr
    assert all(
        line.startswith(("validation", "update", "compiling")) for line in stderr.splitlines()
    )
    assert (workdir / "evaluation" / "showcase_0.png").is_file()
    assert json.loads((workdir / "config.json").read_text(encoding="utf-8"))["name"] == "quickstart"
    assert Checkpoints(workdir / "checkpoints").step(BEST)


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("places")
def test_what_cannot_be_saved_is_printed_all_the_same(trained, tmp_path):
    copy = tmp_path / HOSTILE
    shutil.copytree(trained[0], copy)
    shutil.rmtree(copy / "evaluation")
    (copy / "evaluation").touch()
    arguments = [f"--workdir={copy}", "--beam=1"]
    result = command("evaluate", *arguments)
    assert result.returncode == 2 and "BLEU" in result.stdout and "chrF" in result.stdout
    assert "the scores could not be saved" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert (copy / "evaluation").is_file()


def test_compiled_programs_that_cannot_be_kept_are_done_without_in_silence(tmp_path):
    (tmp_path / "runs").touch()
    code = (
        "import jax; from attention_lab.runs import setup; setup.enable_compilation_cache()\n"
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)\n"
        "print(jax.jit(lambda x: x + 1)(1))"
    )
    assert python("-c", code, folder=tmp_path) == (0, "2\n", "")


def test_a_program_whose_path_jax_cannot_take_says_so_in_one_line(tmp_path):
    here = tmp_path / os.fsdecode(b"\xff")
    here.mkdir()
    status, _, stderr = python("-m", "experiments.gallery", folder=here)
    assert status == 2 and "not valid UTF-8" in stderr and len(stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["report", "translate", "evaluate"])
def test_a_path_that_cannot_be_printed_is_printed_all_the_same(name, tmp_path):
    place = os.fsdecode(b"no\xff[\n]\xc3\xa9")
    result = command(name, f"--workdir={tmp_path / place}")
    what = "study" if name == "report" else "run"
    assert result.returncode == 2 and f" no {what} (there is no" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_command_that_is_printed_can_be_pasted_whatever_is_in_it():
    given = ["a", "it's", "é b", "a\nb", "'\n'", os.fsdecode(b"\\\xff1"), "$HOME [x]*\x1b", ""]
    line = " ".join(map(commands.quoted, given))
    assert line.isprintable()
    code = "import os, sys; print([os.fsencode(word) for word in sys.argv[1:]])"
    result = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {line}', sys.executable, code],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert result.stdout.strip() == str([os.fsencode(word) for word in given])


def test_words_are_utf8_where_the_locale_knows_no_letters():
    assert commands.as_text(os.fsdecode("é 猫 a".encode())) == "é 猫 a"
    ascii_only = "é".encode().decode("ascii", "surrogateescape")
    assert commands.as_text(ascii_only) == "é"
    with pytest.raises(commands.Refusal, match="not UTF-8 text"):
        commands.as_text(os.fsdecode(b"\xff"))


def in_a_file(folder):
    (folder / "file").touch()
    return folder / "file" / "x.png"


def that_is_a_folder(folder):
    (folder / "x.png").mkdir()
    return folder / "x.png"


def with_a_name_too_long(folder):
    return folder / f"{'x' * 250}.png"


PLACES = [in_a_file, that_is_a_folder, with_a_name_too_long, lambda folder: Path("/proc/new/x.png")]


@pytest.mark.parametrize("place", PLACES)
def test_a_picture_that_cannot_be_saved_is_refused_before_anything_is_computed(place, tmp_path):
    picture = place(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(commands.Refusal, match=r"cannot be written|is a folder"):
        commands.png("--out", str(picture))
    assert sorted(tmp_path.iterdir()) == before
    commands.png("--out", str(tmp_path / "new" / "folder" / "x.png"))
    assert sorted(tmp_path.iterdir()) == before


def test_a_translation_whose_picture_cannot_be_saved_is_not_begun(tmp_path):
    result = command(
        "translate", "x", f"--save_heatmap={in_a_file(tmp_path)}", "--workdir=/nowhere"
    )
    assert result.returncode == 2 and "--save_heatmap" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_arm_whose_runs_could_not_be_kept_is_refused_before_training(tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("", encoding="utf-8")
    config = {**json.loads(tiny_study.get_config().to_json()), "arms": {"one": {}}}
    (one,) = study_of(config, tmp_path / "taken").groups
    never = functools.partial(pytest.fail, "it was trained")
    nothing = Corpus(None, [], None, {})
    monkeypatch.setattr(replica_group.setup, "corpus_of", lambda *given: nothing)
    monkeypatch.setattr(replica_group.runs, "model_of", lambda *given: None)
    monkeypatch.setattr(replica_group, "fit", lambda *given: never())
    with pytest.raises((ValueError, OSError), match="Not a directory"):
        replica_group.run(one, None, None)
