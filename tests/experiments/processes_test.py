"""Two processes train one run together: as one would, also when one of them is told to stop."""

import concurrent.futures
import socket

import numpy as np
import pytest

from attention_lab.training.hooks import read
from tests.experiments.commands import command
from tests.experiments.identity_test import digest_of
from tests.experiments.sentences import corpus, words
from tests.experiments.survival_test import arrays

pytestmark = [pytest.mark.slow, pytest.mark.promise, pytest.mark.xdist_group("processes")]


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def together(arguments, signal_after=None):
    """What both processes left; the second is told to stop."""
    where = f"--coordinator=127.0.0.1:{port()}"

    def one(number):
        message = [where, "--processes=2", f"--process={number}"]
        return command(
            "train", *arguments, *message, signal_after=signal_after if number == 1 else None
        )

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(2)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    corpus(folder)
    return folder


def arguments(folder, name):
    return words(folder, folder / name, **{"training.dropout": 0.2, "training.tokens": 38500})


def numbers(workdir, name):
    return [line[name] for line in read(workdir / "metrics.jsonl") if name in line]


@pytest.fixture(scope="module")
def undisturbed(folder):
    both = together(arguments(folder, "two"))
    assert [result.returncode for result in both] == [0, 0], both
    return both


def test_they_find_what_one_process_finds(folder, undisturbed):
    assert command("train", *arguments(folder, "one")).returncode == 0
    for name, tolerance in (("loss", 1e-5), ("bleu", 0.1), ("tokens", 0)):
        one, two = (numbers(folder / run, name) for run in ("one", "two"))
        assert len(one) > 1
        np.testing.assert_allclose(one, two, rtol=0, atol=tolerance)


def test_the_first_one_speaks_for_both(undisturbed):
    first, second = undisturbed
    assert "BLEU" in first.stdout and "min left" in first.stderr
    assert "BLEU" not in second.stdout and not second.stderr


def test_one_is_reported_to_stop_both_save_and_the_run_resumes_bitwise(folder, undisturbed):
    given, workdir = arguments(folder, "stopped"), folder / "stopped"
    for result in together(given, signal_after=workdir / "metrics.jsonl"):
        assert result.returncode == 0 and "stopped (" in result.stdout, result
        assert "after update" in result.stdout and "--process=" in result.stdout
    done = read(workdir / "metrics.jsonl")[-1]["update"]
    assert done < read(folder / "two" / "metrics.jsonl")[-1]["update"]
    assert [result.returncode for result in together(given)] == [0, 0]
    for name in ("bleu", "perplexity"):
        assert numbers(workdir, name) == numbers(folder / "two", name)
    whole, stopped = (arrays(folder / name) for name in ("two", "stopped"))
    assert whole.keys() == stopped.keys() and len(whole) > 10
    for place, array in whole.items():
        np.testing.assert_array_equal(stopped[place], array, err_msg=place)


def test_what_one_of_them_refuses_both_do(folder, undisturbed):
    first, second = together([*arguments(folder, "two"), "--config.seed=9"])
    assert first.returncode == second.returncode == 2
    assert "contains a run with another config (seed: 0, now 9)" in first.stderr
    assert second.stderr.strip() == "train: another process failed, and reports the reason"


def test_other_data_are_refused_by_both(folder, undisturbed):
    path = folder / "validation.jsonl"
    whole, before = path.read_text(), digest_of(folder / "two")
    path.write_text(whole + '{"source": "your cat barks", "target": "ton chat aboie"}\n')
    first, second = together(arguments(folder, "two"))
    path.write_text(whole)
    assert first.returncode == second.returncode == 2
    assert "the split validation are not those" in first.stderr
    assert second.stderr.strip() == "train: another process failed, and reports the reason"
    assert digest_of(folder / "two") == before
