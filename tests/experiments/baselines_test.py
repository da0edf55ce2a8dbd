"""The command that prints what is reached without a model."""

import pytest

from tests.experiments.commands import command


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "input.txt").write_text("To be, or not to be, that is the question:\n" * 20)
    return tmp_path


def test_it_prints_a_line_for_each_baseline(folder):
    result = command(
        "baselines",
        "shakespeare",
        "--task=language",
        "--split=validation",
        f"--options=path={folder}",
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "shakespeare, validation: 1 example"
    assert [line[:20].strip() for line in lines[1:]] == [
        "uniform", "5-gram, witten-bell", "5-gram, kneser-ney", "6-gram, kneser-ney",
    ]  # fmt: skip
    assert all("  nats " in line and "  bits " in line for line in lines[1:])


def test_options_with_a_decimal_point_are_numbers(folder):
    options = f"--options=path={folder}/input.txt,train_fraction=0.5,documents=line"
    result = command("baselines", "text_files", "--task=language", options)
    assert result.stdout.startswith("text_files, test: 10 examples\n"), result.stderr


@pytest.mark.parametrize(
    "words, why",
    [
        (("--task=language",), "give the name of one dataset"),
        (("shakespeare",), "--task must have a value"),
        (("shakespeare", "--task=languag"), "value should be one of"),
        (("shakspeare", "--task=language"), "did you mean 'shakespeare'?"),
        (("shakespeare", "--task=language", "--options=path=no/where"), "no folder no/where"),
        (("rosetta", "--task=language", "--options=size=5"), "the examples have no 'text'"),
    ],
)
def test_what_is_wrong_is_one_line(words, why):
    result = command("baselines", *words)
    assert result.returncode == 2 and not result.stdout
    assert why in result.stderr and result.stderr.count("\n") == 1, result.stderr
