"""Texts that a command generates: as the package's, streamed or not, from words, files and pipes."""

from unittest import mock

import pytest

import attention_lab
from attention_lab import runs
from tests.experiments.in_process import Keyboard, run_command
from tests.experiments.talking import ANSWERS, talker
from tests.runs.limits_test import WORDS, run_of

pytestmark = pytest.mark.xdist_group("talker")

PROMPT, BEGINNING = "<user> hello there\n<system>", "<user> I am"
HOT = ("--temperature=2", "--top_k=9", "--max_length=12")
OPTIONS = {"temperature": 2.0, "top_k": 9, "max_length": 12}


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return talker(tmp_path_factory)


@pytest.fixture(scope="module")
def run(workdir):
    return attention_lab.load(workdir)


def generated(workdir, *words, **options):
    result = run_command("generate", f"--workdir={workdir}", *words, **options)
    return result.status, result.stdout.decode(), result.stderr.decode()


def test_a_prompt_is_continued_as_the_config_says(workdir):
    status, out, err = generated(workdir, PROMPT)
    (answer,) = [ANSWERS["hello there"]]
    assert out.startswith(f"{PROMPT} {answer}") and (status, err) == (0, "")
    assert generated(workdir, PROMPT, "--stop=<user>", "--stop=\n")[1] == f"{PROMPT} {answer}\n"
    assert generated(workdir, "")[1].startswith("<user> ")


def test_a_text_in_pieces_is_the_text_at_once(workdir, run):
    """One prompt is streamed, and several are generated in a batch."""
    prompts = [PROMPT, BEGINNING, "thank"]
    batch = generated(workdir, *prompts, "--samples=2", "--seed=5", *HOT)
    texts = runs.generate(run, prompts, samples=2, seed=5, **OPTIONS)
    expected = [
        prompt + one.text for prompt, own in zip(prompts, texts, strict=True) for one in own
    ]
    assert batch == (0, "".join(f"{text}\n---\n" for text in expected), "")
    assert len(set(expected)) > 3
    for prompt, text in zip(prompts, expected[::2], strict=True):
        assert generated(workdir, prompt, "--seed=5", *HOT)[1] == f"{text}\n"


def test_a_terminal_shows_several_texts_while_they_are_generated(workdir):
    words = (PROMPT, BEGINNING, "--samples=2", *HOT)
    expected = generated(workdir, *words)
    with mock.patch.object(runs, "generate", side_effect=AssertionError("all at once")):
        assert generated(workdir, *words, terminal=Keyboard()) == expected


def test_prompts_are_typed_at_a_terminal(workdir):
    status, out, err = generated(workdir, *HOT, terminal=Keyboard(BEGINNING, BEGINNING))
    text = generated(workdir, BEGINNING, *HOT)[1]
    assert (status, out) == (0, f"> {text}> {text}> ")
    assert err == "Type one prompt per line; Ctrl-D ends.\n"


def test_prompts_are_lines_of_a_file_or_of_a_pipe(workdir, tmp_path):
    lines = [PROMPT.partition("\n")[0], "", BEGINNING]
    given = "\n".join(lines).encode()
    (tmp_path / "prompts.txt").write_bytes(given)
    status, out, err = generated(workdir, f"--file={tmp_path}/prompts.txt", *HOT)
    assert (status, err) == (0, "") and out.count("---\n") == 3 and out.startswith(lines[0])
    assert generated(workdir, *HOT, stdin=given) == (status, out, err)
    assert generated(workdir, stdin=b"") == (0, "", "")


def test_settings_are_those_of_the_flags(workdir, run):
    flags = {"repetition_penalty": 1.5, "no_repeat_ngram": 2, "top_p": 0.9, "min_length": 15}
    words = [f"--{name}={value}" for name, value in flags.items()]
    found = generated(workdir, BEGINNING, "--temperature=3", "--max_length=20", *words)[1]
    options = {**run.config["sampling"], "temperature": 3.0, "max_length": 20, **flags}
    assert found == f"{BEGINNING}{runs.generate(run, [BEGINNING], **options)[0][0].text}\n"


def test_attention_is_printed_and_drawn(workdir, tmp_path):
    picture = tmp_path / "x.png"
    words = (BEGINNING, "--max_length=6", "--show_attention")
    status, out, err = generated(workdir, *words, f"--png={picture}")
    assert (status, err) == (0, "") and picture.read_bytes().startswith(b"\x89PNG")
    text, _, shown = out.partition("\n\n")
    _, *rows = shown.split("\n\n")[0].splitlines()
    assert len(rows) == 6 and [row.split()[0] for row in rows] == [
        one.replace(" ", "▁") for one in text.removeprefix(BEGINNING)
    ]
    assert out.rstrip().endswith(f"picture  {picture}")
    other = generated(workdir, *words, "--layer=decoder/0", "--head=1")[1]
    assert other.startswith(text) and other not in out


def test_what_is_not_in_the_vocabulary_is_reported_in_one_line(workdir):
    status, out, err = generated(workdir, "привет", "--max_length=3")
    assert status == 0 and out.startswith("привет")
    assert (
        err == "generate: line 1: not in the model's vocabulary, and read as unknown: п р и в е т\n"
    )


def test_a_prompt_that_is_too_long_is_read_from_its_end_and_one_line_says_so(workdir):
    status, out, err = generated(workdir, "thank you " * 20, "--max_length=3")
    assert status == 0 and out.startswith("thank you " * 20)
    assert err == "generate: line 1: of 200 tokens, the model reads the last 64\n"


def test_a_model_with_a_source_writes_from_it():
    translator = run_of("learned positions")
    sources = [WORDS, "", "cat " * 30]
    with mock.patch.object(runs, "opened", lambda workdir: translator):
        status, out, err = generated("x", *sources, "--max_length=5", "--temperature=0")
        alone = generated("x", WORDS, "--max_length=5", "--temperature=0", "--show_attention")
    first = runs.generate(translator, [WORDS], max_length=5, temperature=0.0)[0][0].text
    assert status == 1 and out == f"{first}\n---\n\n---\n\n---\n"
    assert err.splitlines()[0] == "generate: line 2: the prompt is blank: ''"
    assert "line 3: 31 source tokens, and the model reads at most 24" in err.splitlines()[1]
    assert alone[0] == 0 and alone[1].startswith(f"{first}\n\n")
    assert all(word in alone[1] for word in WORDS.split())


REFUSED = [
    (["a", "--file=b"], "not both"),
    (["a", "b", "--png=x.png"], "--png draws one text"),
    (["a", "--samples=2", "--png=x.png"], "--png draws one text"),
    (["a", "--png=x.jpg"], "end in .png"),
    (["a", "--samples=0"], "samples"),
    (["a", "--temperature=-1"], "temperature is -1"),
    (["a", "--min_length=100"], "min_length is 100"),
    (["a", "--stop="], "stop string must have"),
    (["a", "--layer=decoder/9"], "decoder/9"),
    (["a", "--workdir=/nowhere"], "contains no run"),
    (["--file=/nowhere.txt"], "/nowhere.txt"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_a_wrong_command_is_refused_in_one_line(workdir, words, message):
    status, out, err = generated(workdir, *words)
    assert (status, out) == (2, "")
    assert message in err and len(err.strip().splitlines()) == 1
