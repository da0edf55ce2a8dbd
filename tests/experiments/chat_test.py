"""A dialogue as a person holds it: at a terminal, with Ctrl-C and Ctrl-D, and over pipes."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from unittest import mock

import pytest

from attention_lab.runs import generation
from tests.experiments.commands import PATIENCE, ROOT, command
from tests.experiments.in_process import Keyboard, run_command
from tests.experiments.talking import ANSWERS, talker

pytestmark = pytest.mark.xdist_group("talker")

HELLO, ANSWER = "hello there", ANSWERS["hello there"]
PROMPT = "The model reads 128 tokens at once. Ctrl-C stops an answer; Ctrl-D ends.\n"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return talker(tmp_path_factory)


def typed(workdir, *lines, flags=()):
    """What a dialogue at a terminal prints: its status, standard output and standard error."""
    result = run_command("chat", f"--workdir={workdir}", *flags, terminal=Keyboard(*lines))
    return result.status, result.stdout.decode(), result.stderr.decode()


def piped(workdir, text, *flags):
    result = run_command("chat", f"--workdir={workdir}", *flags, stdin=text.encode())
    return result.status, result.stdout.decode(), result.stderr.decode()


def test_a_dialogue_is_held_at_a_prompt_until_ctrl_d(workdir):
    status, out, err = typed(workdir, HELLO, "I am hungry")
    second = ANSWERS["I am hungry"]
    assert out == f"you: model: {ANSWER}\nyou: model: {second}\nyou: \n"
    assert (status, err) == (0, PROMPT)


def test_ctrl_c_at_the_prompt_ends_the_dialogue(workdir):
    status, out, err = typed(workdir, HELLO, KeyboardInterrupt(), "thank you")
    assert (status, out, err) == (0, f"you: model: {ANSWER}\nyou: \n", PROMPT)


def test_an_empty_line_is_asked_again(workdir):
    status, out, err = typed(workdir, "", "  \t", HELLO)
    assert (status, err) == (0, PROMPT)
    assert out == f"you: you: you: model: {ANSWER}\nyou: \n"


def test_ctrl_c_stops_an_answer_and_not_the_dialogue(workdir):
    prompts = []

    def tokens(*arguments):
        prompts.append(arguments[3])
        for number, token in enumerate(tokens_of(*arguments)):
            if number == 5 and len(prompts) == 1:
                signal.raise_signal(signal.SIGINT)
            yield token

    tokens_of, before = generation.stream_tokens, signal.getsignal(signal.SIGINT)
    with mock.patch.object(generation, "stream_tokens", tokens):
        status, out, err = typed(workdir, HELLO, HELLO)
    first, second, last = out.split("\n")[:3]
    shown = first.removeprefix("you: model: ")
    assert ANSWER.startswith(shown) and 0 < len(shown) < len(ANSWER)
    assert second.startswith("you: model: ") and last == "you: "
    assert (status, err) == (0, PROMPT) and signal.getsignal(signal.SIGINT) == before
    # The model reads as much of its answer as was shown.
    assert (
        int(prompts[1].valid.sum())
        == len(f"<user> {HELLO}\n<system> {shown}\n") + len(f"<user> {HELLO}\n<system>") + 1
    )


def test_a_line_that_is_too_long_is_refused_in_one_line_and_the_dialogue_goes_on(workdir):
    status, out, err = typed(workdir, "word " * 5000, HELLO)
    assert status == 0 and out == f"you: you: model: {ANSWER}\nyou: \n"
    (line,) = err.removeprefix(PROMPT).splitlines()
    assert line.startswith("chat: the line has 24,999 tokens, and the model reads at most ")


def test_another_alphabet_is_answered_and_reported_in_one_line(workdir):
    lines = ("привет", "привет", "<system> 猫")
    status, out, err = typed(workdir, *lines, flags=["--max_length=12"])
    (first, second) = [line for line in err.splitlines() if "unknown" in line]
    assert first == "chat: not in the model's vocabulary, and read as unknown: п р и в е т"
    assert second.endswith("unknown: 猫") and status == 0
    assert out.count("model: ") == 3 and "<user>" not in out and "<system>" not in out


def test_a_pipe_gives_a_line_for_each_line(workdir):
    text = f"{HELLO}\n\n{'word ' * 5000}\nI am hungry"
    status, out, err = piped(workdir, text)
    assert out == f"{ANSWER}\n\n\n{ANSWERS['I am hungry']}\n" and status == 1
    assert err.startswith("chat: the line has") and err.count("\n") == 1
    assert piped(workdir, "") == (0, "", "")


def test_bytes_that_are_no_text_are_unknown_characters(workdir):
    result = run_command("chat", f"--workdir={workdir}", stdin=b"h\xffi\n")
    assert result.status == 0 and result.stdout.count(b"\n") == 1
    assert "unknown: �" in result.stderr.decode()


def test_the_seed_and_the_settings_are_those_of_the_flags(workdir):
    def answers(*flags):
        return piped(workdir, f"{HELLO}\n{HELLO}\n", "--max_length=12", *flags)[1]

    hot = ("--temperature=5", "--seed=3")
    assert answers(*hot) == answers(*hot) != answers("--temperature=5", "--seed=4")
    assert answers(*hot, "--top_k=1") == answers()
    assert piped(workdir, HELLO, "--stop=How")[1] == f"{ANSWER.partition('How')[0]}\n"
    status, out, err = piped(workdir, HELLO, "--max_length=5")
    assert (status, out) == (0, f"{ANSWER[:4]}\n") and "answers end after 5 tokens" in err


def test_attention_is_shown_in_a_line_for_each_word_of_an_answer(workdir):
    status, out, err = typed(workdir, HELLO, flags=["--show_attention"])
    assert (status, err) == (0, PROMPT)
    answer, head, *lines, last = out.splitlines()
    assert answer == f"you: model: {ANSWER}" and last == "you: "
    assert re.fullmatch(r"\(decoder/[01], head [01], in percent\)", head)
    assert [line.split()[0] for line in lines] == ANSWER.split()
    assert all(set(line.split()[1::2]) <= {"hello", "there", "·"} for line in lines)
    assert any(line.split()[1] in ("hello", "there") for line in lines)
    chosen = typed(workdir, HELLO, flags=["--show_attention", "--layer=decoder/0", "--head=1"])
    assert "(decoder/0, head 1, in percent)" in chosen[1] and chosen[0] == 0
    mean = typed(workdir, HELLO, flags=["--show_attention", "--layer=decoder/0"])
    assert "(decoder/0, mean of all heads, in percent)" in mean[1]


REFUSED = [
    (["word"], "'word' is not a flag"),
    (["--temperature=-1"], "temperature is -1"),
    (["--top_p=0"], "top_p is 0"),
    (["--stop="], "stop"),
    (["--layer=decoder/9"], "decoder/9"),
    (["--workdir=/nowhere"], "contains no run"),
    (["--temprature=1"], "temprature"),
]


@pytest.mark.parametrize(("flags", "message"), REFUSED)
def test_a_wrong_command_is_refused_in_one_line(workdir, flags, message):
    result = run_command("chat", f"--workdir={workdir}", *flags)
    told = result.stderr.decode()
    assert result.status == 2 and not result.stdout
    assert message in told and len(told.strip().splitlines()) == 1


def test_help_names_the_settings():
    told = command("chat", "--help").stdout
    for flag in ("--temperature", "--seed", "--[no]show_attention", "--stop", "--workdir"):
        assert flag in told


class Terminal:
    """A command in a terminal of its own, whose keys reach it."""

    LOGIN = (
        "import os, sys; os.login_tty(0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )

    def __init__(self, *command):
        self.keys, inside = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "PYTHONUTF8": "1"}
        words = [sys.executable, "-c", self.LOGIN, *command]
        self.process = subprocess.Popen(words, stdin=inside, cwd=ROOT, env=environment)
        os.close(inside)
        self.seen, self.started = "", time.monotonic()

    def press(self, keys):
        """Types in parts that a terminal takes."""
        for start in range(0, len(keys), 500):
            os.write(self.keys, keys[start : start + 500].encode())
            self.read(0.01)

    def read(self, seconds):
        while select.select([self.keys], [], [], seconds)[0]:
            self.seen += os.read(self.keys, 4096).decode(errors="replace")

    def until(self, text):
        """Returns what is printed up to a text, and forgets it."""
        while text not in self.seen:
            assert time.monotonic() - self.started < PATIENCE, self.seen
            self.read(0.05)
        before, _, self.seen = self.seen.partition(text)
        return before


@pytest.mark.slow
def test_a_dialogue_in_a_real_terminal(workdir):
    """Ctrl-C and Ctrl-D are keys there, and a line may be longer than a terminal's buffer."""
    terminal = Terminal("-m", "experiments.chat", f"--workdir={workdir}", "--max_length=60")
    try:
        terminal.until("you: ")
        # The first answer takes longest, since its program is compiled.
        terminal.press(f"{HELLO}\r")
        terminal.until("model: ")
        terminal.press("\x03")
        assert len(terminal.until("you: ").strip()) < len(ANSWER)
        terminal.press(f"{HELLO}\r")
        terminal.until("model: ")
        terminal.until("you: ")
        terminal.press("word " * 5000 + "\r")
        assert "you: " not in terminal.until("the line has 24,999 tokens")
        terminal.until("you: ")
        terminal.press("\x04")
        assert terminal.process.wait(PATIENCE) == 0
    finally:
        terminal.process.kill()
        os.close(terminal.keys)
