"""The commands do what their --help says, and refuse what is wrong in one line."""

import json
import subprocess
import sys
import warnings

import jax.numpy as jnp
import pytest

from attention_lab.mechanism import legality
from experiments import command as commands
from tests.experiments.commands import COMMON, PATIENCE, ROOT, command

TINY = (
    "--config=configs/benchmarks/mechanism.py:small",
    "--config.groups.dot.lengths=(16,32)",
    "--config.groups.additive.lengths=(16,)",
    "--config.groups.causal.lengths=(16,)",
    "--config.groups.dot.repetitions=1",
    "--config.groups.additive.repetitions=1",
    "--config.groups.causal.repetitions=1",
)


def test_what_commands_fork_from_exists_and_starts_nothing():
    """A name that there is not would be left out in silence, and every command would be slower."""
    code = f"import importlib; [importlib.import_module(name) for name in {COMMON}]\n"
    code += "from jax._src import xla_bridge; print(len(xla_bridge._backends))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_the_benchmark_leaves_rows_and_a_picture(tmp_path):
    result = command("benchmark", *TINY, f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    ours = [row for row in rows if row["ours"]]
    assert ours and all(row["status"] == "measured" for row in ours)
    assert all(row["milliseconds"] > 0 and row["temp_mib"] > 0 for row in ours)
    assert (tmp_path / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    assert "additive" in result.stdout and str(tmp_path) in result.stdout


def test_the_list_is_the_table_of_what_is_legal():
    words = [sys.executable, "-m", "experiments.benchmark", "--list"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 0 and result.stdout.strip() == legality.markdown()


@pytest.mark.parametrize(
    "words, message",
    [
        (["--config.groups.dot.scores=('dto',)"], "did you mean 'dot'"),
        (["--config.groups.dot.implementations=('dens',)"], "did you mean 'dense'"),
        (["--config.heds=3"], "heds"),
        (["--config=nowhere.py"], "nowhere.py"),
        (["--workdri=x"], "workdri"),
        (["--config.heads=0"], "heads"),
        (["word"], "word"),
    ],
)
def test_a_wrong_benchmark_is_refused_in_one_line(words, message):
    result = command("benchmark", *words)
    assert result.returncode == 2
    assert message in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_a_config_that_ends_the_program_is_no_question_for_help(tmp_path):
    (tmp_path / "c.py").write_text("raise SystemExit(1)", encoding="utf-8")
    assert command("train", f"--config={tmp_path}/c.py").returncode == 1


def test_the_gallery_draws_its_picture(tmp_path):
    result = command("gallery", f"--out={tmp_path}/gallery.png")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "gallery.png").read_bytes().startswith(b"\x89PNG")


def test_a_gallery_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    result = command("gallery", f"--out={tmp_path}/no/such/folder/gallery.png")
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("lacking", [lambda: jnp.zeros((2**20, 2**28)), lambda: bytearray(2**62)])
def test_a_lack_of_memory_is_refused_in_one_line(lacking, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["some"])
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(commands, "keep_memory", lambda: None)
    with pytest.raises(SystemExit) as ended:
        commands.run(lambda words: lacking())
    assert ended.value.code == 2
    output = capsys.readouterr().err
    assert output.startswith("some: there is not enough memory") and output.count("\n") == 1


def test_other_errors_of_the_library_are_not_taken_for_one(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["some"])
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(commands, "keep_memory", lambda: None)

    def fail(words):
        raise RuntimeError("INTERNAL")

    with pytest.raises(RuntimeError, match="INTERNAL"):
        commands.run(fail)


COMMANDS = sorted(
    path.stem
    for path in (ROOT / "experiments").glob("*.py")
    if "command.run(main" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_the_command_is_for_and_is_no_failure(name):
    result = command(name, "--help")
    assert result.returncode == 0 and not result.stderr
    assert f"python -m experiments.{name}" in result.stdout and "Traceback" not in result.stderr
