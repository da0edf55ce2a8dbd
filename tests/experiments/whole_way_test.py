"""Any path, any text, any search: training, saving, loading and translating give a line for each line, or are refused
before anything is written.

Vocabularies, batches and most files to translate are brought to one size each, so that few programs are compiled.
"""

import functools
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import attention_lab
from attention_lab.data.words import normalize
from attention_lab.models import make_model
from attention_lab.runs import folder, setup
from tests.experiments.commands import ROOT
from tests.experiments.in_process import run_command

SIZE, LENGTH, ROWS = 300, 24, 4  # of vocabularies and batches
CONFIG = {
    "data.name": "files",
    "data.max_length": LENGTH,
    "devices.data": 1,
    "tokenizer.size": SIZE,
    "model.encoder.embedding": 8,
    "model.decoder.embedding": 8,
    "model.decoder.hidden": 8,
    "model.encoder.features": 8,
    "training.tokens": 200,
    "training.batch_tokens": LENGTH * ROWS,
    "training.buckets": 1,
    "training.schedule": "constant",
    "training.learning_rate": 0.02,
    "training.validations": 1,
}

# Every byte but NUL and the slash.
BYTES = st.integers(1, 255).filter(lambda byte: byte != ord("/"))
KNOWN = [b"[a]*?", b"{}", b"{split}", b"%s%2F", b"-x", b"--workdir=y", b" ", b"\n", b"\xff", b"~"]
KNOWN += [b"$HOME", b"'\"`", b"gs:", b"\\", "é\u202e".encode(), b"x" * 255, b"latest", b"a.gz"]
NAMES = st.one_of(st.lists(BYTES, min_size=1, max_size=30).map(bytes), st.sampled_from(KNOWN))
PATHS = st.lists(NAMES.filter(lambda name: name not in (b".", b"..")), min_size=1, max_size=3)

PARTS = [
    "<unk>",
    "<s>",
    "</s>",
    "<pad>",
    "<0x0A>",
    "▁",
    "▅",
    "\ufffd",
    "\ufeff",
    "\ud800",
    "\udc80",
]
PARTS += ["\0", "\t", "\r", "\v", "\x1c", "\x1e", "\x85", "\xa0", "\u2028", "\u2029", "\u3000", " "]
PARTS += ["e\u0301", "\u0301", "\u0344", "\ufb2c", "👩\u200d👧", "猫", "ไ", "\U0001d160", "\u202e"]
PARTS += ["$x$", "\\frac", "^_", "-", "--", "{}", "%s", "a", "b", "\U0010ffff", "\ufdd0", "\u180e"]
TEXTS = st.lists(st.one_of(st.sampled_from(PARTS), st.characters()), max_size=5).map("".join)
LINES = TEXTS.map(lambda text: text.replace("\n", ""))
# A {split} in the path of data is where the name of a split goes.
DATA = PATHS.filter(lambda names: b"{split}" not in names)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3)

LEGAL = [{"beam": "1"}, {"beam": "3", "coverage_penalty": "0.2", "longest": "(3, 1.0)"}]
NO_NUMBER = ["-1", "-0.5", "1e400", "nan", "-inf", "x", "", "None", "()"]
NO_PAIR = [
    "(0, 0)",
    "(0, 0.5)",
    "(1,)",
    "(1, 2, 3)",
    "(-1, 2)",
    "(1, -2)",
    "(1, 'a')",
    "[1, 2",
    "5",
]
NO_PAIR += ["(None, 1)", "((1, 2), 3)", "(1e400, 1)", "(1, 1e400)", "(3000000000, 1)", "(1, 1e30)"]
NO_PAIR += ["(1j, 1)", "{1: 2}", "('a', 'b')"]
ILLEGAL = st.one_of(
    st.tuples(st.just("beam"), st.sampled_from([*NO_NUMBER, "0", "1.5", "9" * 20])),
    st.tuples(st.sampled_from(["length_penalty", "coverage_penalty"]), st.sampled_from(NO_NUMBER)),
    st.tuples(st.just("longest"), st.sampled_from([*NO_NUMBER, *NO_PAIR])),
    st.tuples(st.sampled_from(["n_best", "beams", ""]), st.just("1")),
).map(lambda field: dict([field]))


class Corpus(NamedTuple):
    """Texts, how they are kept in files, and how they are cut."""

    stored: str
    kind: str
    byte_fallback: bool
    train: list[tuple[str, str]]
    validation: list[tuple[str, str]]
    test: list[tuple[str, str]]


class Asked(NamedTuple):
    """What is to be translated: how it is given, whether after five long lines, its bytes, and flags."""

    way: str
    padded: bool
    data: bytes
    flags: dict[str, str]


CUTS = [("word", False), ("char", False), ("char", True), ("bpe", False)]
CORPORA = st.builds(
    lambda stored, cut, *pairs: Corpus(stored, *cut, *pairs),
    st.sampled_from(["jsonl", "jsonl", "tsv", "lines"]),
    st.sampled_from(CUTS),
    *[PAIRS] * 3,
)


def asked(padded, flags):
    """Random lines; padded: after others, so that there are five to eight that are not blank."""
    lines = st.lists(LINES, max_size=3)
    texts = st.builds(lambda some, end: "\n".join(some) + end, lines, st.sampled_from(["", "\n"]))
    data = texts.map(lambda text: text.encode(errors="surrogatepass"))
    return st.builds(
        Asked, st.sampled_from(["file", "stdin", "words"]), st.just(padded), data, flags
    )


WIDTHS = [{}, {"n_best": "2"}, {"beam": "2"}]
BAD_FLAGS = st.tuples(
    st.sampled_from(["beam", "n_best"]), st.sampled_from([*NO_NUMBER, "0", "1.5", "9" * 20])
).map(lambda flag: dict([flag]))


def rarely(odd, usual):
    return st.integers(0, 4).flatmap(lambda n: usual if n else odd)


FEW = {
    "decoding": rarely(ILLEGAL, st.sampled_from(LEGAL)),
    "what": asked(True, rarely(BAD_FLAGS, st.just({}))),
}
MANY = {
    "decoding": rarely(ILLEGAL, st.sampled_from(LEGAL)),
    "what": rarely(
        asked(False, st.just({})),
        asked(True, rarely(BAD_FLAGS, st.sampled_from(WIDTHS))),
    ),
}

# An example takes a second, so that the many tries to make a failing one smaller would take many minutes.
SEARCHED = settings(deadline=None, derandomize=True, phases=[Phase.generate])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An empty folder; what is cached goes elsewhere, and what compiles to the same program is the same object."""
    kept = jax.config.jax_enable_x64
    steps = remembered(setup.step_of, lambda config, model, *_: (config["training"], model))
    with pytest.MonkeyPatch.context() as patch:
        jax.config.update("jax_enable_x64", False)  # as commands have it
        patch.chdir(tmp_path_factory.mktemp("here"))
        patch.setattr(setup, "enable_compilation_cache", lambda: None)
        patch.setattr(folder, "make_model", remembered(make_model))
        patch.setattr(setup, "step_of", steps)
        yield tmp_path_factory.mktemp("whole")
    jax.config.update("jax_enable_x64", kept)


def remembered(function, key=lambda *given: given):
    made = {}

    @functools.wraps(function)
    def inside(*given, **options):
        known = json.dumps((key(*given), options), default=id, sort_keys=True)
        if known not in made:
            made[known] = function(*given, **options)
        return made[known]

    return inside


@settings(SEARCHED, max_examples=10)
@given(names=PATHS, data=DATA, corpus=CORPORA, **FEW)
def test_a_line_for_each_line_or_refused_before_anything_is_written(place, **example):
    whole_way(place, **example)


@pytest.mark.slow
@pytest.mark.promise
@settings(SEARCHED, max_examples=400)
@given(names=PATHS, data=DATA, corpus=CORPORA, **MANY)
def test_many_times_a_line_for_each_line_or_refused(place, **example):
    whole_way(place, **example)


def whole_way(place, names, data, corpus, decoding, what):
    place = Path(tempfile.mkdtemp(dir=place))
    workdir = place.joinpath("runs", *map(os.fsdecode, names))
    files = place.joinpath("data", *map(os.fsdecode, data))
    files.mkdir(parents=True)
    options = written(corpus, files)
    flags = {
        **CONFIG,
        "tokenizer.kind": corpus.kind,
        "tokenizer.byte_fallback": corpus.byte_fallback,
    }
    flags |= {f"decoding.{name}": value for name, value in decoding.items()} | options
    which = "two_files" if corpus.stored == "lines" else "one_file"
    before = digest_of(place)
    setup._corpus.cache_clear()
    result = run_command(
        "train",
        f"--config={ROOT}/tests/experiments/tiny.py:{which}",
        f"--workdir={workdir}",
        *(f"--config.{name}={value}" for name, value in flags.items()),
    )
    texts = [
        t for split in (corpus.train, corpus.validation, corpus.test) for p in split for t in p
    ]
    if decoding not in LEGAL or (corpus.stored != "jsonl" and not all(map(is_plain, texts))):
        refused(result)
        assert digest_of(place) == before
        return
    assert result.status == 0, result
    if what.padded:
        what = what._replace(data=f"{long(corpus.kind)}\n".encode() * 5 + what.data)
    (place / "asked").write_bytes(what.data)
    before = digest_of(place)
    translate(workdir, place / "asked", what)
    assert digest_of(place) == before


def translate(workdir, path, what):
    """Holds the command to what the loaded run says of the same lines, and both to a line for each."""
    run = attention_lab.load(workdir)
    words, lines = [f"--{name}={value}" for name, value in what.flags.items()], lines_of(what.data)
    if what.way == "file":
        words.append(f"--file={path}")
    elif what.way == "words":
        given_as = what.data.replace(b"\0", b"").split(b"\n")
        words += ["--", *map(os.fsdecode, given_as)]
        lines = None if lines_of(b"\n".join(given_as)) is None else [w.decode() for w in given_as]
    result = run_command("translate", f"--workdir={workdir}", *words, stdin=what.data)
    if lines is None or what.flags not in WIDTHS:
        refused(result)
        return
    number = int(what.flags.get("n_best", 1))
    beam = int(what.flags.get("beam", run.config["decoding"]["beam"]))
    found = run.n_best(lines, n_best=number, beam=max(beam, number))
    assert len(found) == len(lines) and all(map(len, found))
    messages = []
    for some in found:
        best = some[:number]
        assert all(one.text == normalize(one.text) for one in best)
        messages += [f"{one.score:.4f}\t{one.text}" if number > 1 else one.text for one in best]
        messages += ["-inf\t"] * (number - len(best))  # so that each line has equally many
    assert result.stdout == "".join(f"{line}\n" for line in messages).encode()
    assert (
        result.stdout.count(b"\n")
        == number * len(lines)
        == len(result.stdout.decode().splitlines())
    )
    assert result.status == int(any(some[0].refused is not None for some in found))


def refused(result):
    """That it has said why in one line, and nothing else."""
    assert result.status == 2 and not result.stdout, result
    assert re.fullmatch(rb"[^\n]+\n", result.stderr), result


def is_plain(text):
    """Whether a file of UTF-8 can hold it."""
    return not re.search("[\ud800-\udfff\0]", text)


def lines_of(data):
    """What a file says in lines, None where it is no text."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        return None
    lines = text.split("\n")
    lines = lines if lines[-1] else lines[:-1]
    return None if "\0" in text else [line.removesuffix("\r") for line in lines]


def written(corpus, files):
    """Writes the splits of a corpus, and others beside; the options of the data that name them."""
    filled = {
        "train": filler(corpus.kind, corpus.byte_fallback),
        **dict.fromkeys(("validation", "test"), [(long(corpus.kind),) * 2] * 5),
    }
    for split, more in filled.items():
        pairs = [*getattr(corpus, split), *more]
        if corpus.stored != "jsonl":  # where it would end the line
            pairs = [tuple(text.replace("\n", " ") for text in pair) for pair in pairs]
        if corpus.stored == "jsonl":
            lines = [json.dumps({"source": source, "target": target}) for source, target in pairs]
            (files / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        elif corpus.stored == "tsv":
            text = "".join(f"{source}\t{target}\n" for source, target in pairs)
            (files / f"{split}.tsv").write_bytes(text.encode(errors="surrogatepass"))
        else:
            for side, texts in zip(("source", "target"), zip(*pairs, strict=True), strict=True):
                text = "".join(f"{text}\n" for text in texts)
                (files / f"{split}.{side}").write_bytes(text.encode(errors="surrogatepass"))
    if corpus.stored != "lines":
        return {"data.options.path": f"{files}/{{split}}.{corpus.stored}"}
    return {f"data.options.{side}": f"{files}/{{split}}.{side}" for side in ("source", "target")}


def filler(kind, byte_fallback):
    """Twelve pairs of which the longest have LENGTH tokens, with END, and which fill the vocabulary alone."""
    if kind == "bpe":
        words = ["".join(np.random.default_rng(n).choice([*"cdefghijklmn"], 4)) for n in range(88)]
        texts = [" ".join(words[n : n + 4]) for n in range(0, 88, 4)]
        return [(long(kind),) * 2, *zip(texts[::2], texts[1::2], strict=True)]
    size = LENGTH - 1
    # Beside four marks and 256 bytes there is room for forty letters, each of which is then frequent.
    room = SIZE - 260 if byte_fallback else 24 * size
    letters = [chr(0xAC00 + n % room) for n in range(24 * size)]
    texts = [("" if kind == "char" else " ").join(letters[n * size :][:size]) for n in range(24)]
    return list(zip(texts[::2], texts[1::2], strict=True))


def long(kind):
    """A sentence of LENGTH tokens, END included."""
    return ("" if kind == "char" else " ").join("z" * (LENGTH - 1))


def digest_of(place):
    """The digest of all names in a folder, and of all that its files say."""
    digest = hashlib.sha256()
    for folder_, _, names in sorted(os.walk(os.fsencode(place))):
        digest.update(b"%d %s\n" % (len(folder_), folder_))
        for name in sorted(names):
            content = Path(os.fsdecode(os.path.join(folder_, name))).read_bytes()
            digest.update(b"%d %s %d\n" % (len(name), name, len(content)) + content)
    return digest.hexdigest()
