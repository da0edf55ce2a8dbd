"""What is done before training: what takes long says so."""

import time

import jax

from attention_lab.runs import setup


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
