"""What changes under a run or a study, finished or half: it is refused by name, or the training goes on unharmed."""

import hashlib
import json
import re
import shutil

import pytest

import attention_lab
from attention_lab import runs
from attention_lab.evaluation import records
from attention_lab.runs import setup, training
from attention_lab.studies import rows, scheduler
from attention_lab.studies.study import study_of
from attention_lab.tasks import text_to_text
from attention_lab.training import checkpoint
from tests.experiments import sentences
from tests.experiments.commands import command
from tests.experiments.sentences import corpus
from tests.experiments.study_test import STUDY

pytestmark = pytest.mark.xdist_group("identity")  # one run and one study for all

SENTENCE, TRANSLATED = "my ann sees my bob", "mon ann voit mon bob"


def digest_of(folder):
    """The digest of all names in a folder, and of all that its files say."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def train(folder, *more):
    return command("train", *sentences.words(folder, folder / "run"), *more)


def arguments(folder):
    path = f"--config.base.data.options.path={folder}/{{split}}.jsonl"
    small = ["--config.base.training.tokens=4000", "--config.seeds=(0,)"]
    return [STUDY, path, *small, f"--workdir={folder}/study"]


def study(folder, *more):
    return command("ablate", *arguments(folder), *more)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus with a run and a study beside it; and as that was when a group of two had finished, and in the end."""
    folder = tmp_path_factory.mktemp("identity") / "corpus"
    folder.mkdir()
    corpus(folder)
    kept = {when: folder.parent / when for when in BOTH}
    stopped = [study(folder, "--arm=no attention"), train(folder, "--max_minutes=0")]
    stopped += [study(folder, "--max_minutes=0")]
    assert [result.returncode for result in stopped] == [0, 0, 0], stopped
    shutil.copytree(folder, kept["half"])
    ended = [train(folder), study(folder)]
    assert [result.returncode for result in ended] == [0, 0], ended
    shutil.copytree(folder, kept["finished"])
    return folder, kept


@pytest.fixture
def again(made):
    """A function: the folder as it was at that time, under its own name, which configs tell."""
    folder, kept = made

    def restored(when):
        shutil.rmtree(folder)
        shutil.copytree(kept[when], folder)
        return folder

    return restored


def another_pair(split):
    def change(folder):
        with (folder / f"{split}.jsonl").open("a") as file:
            file.write('{"source": "your cat barks", "target": "ton chat aboie", "links": []}\n')

    return change


def another_link(folder):
    path = folder / "validation.jsonl"
    path.write_text(path.read_text().replace("[[0, 0], ", "[[0, 1], ", 1))


def another_version(pattern, field):
    def change(folder):
        paths = list(folder.glob(pattern))
        for path in paths:
            text, count = re.subn(rf'("{field}": ?)\d+', r"\g<1>99", path.read_text())
            assert count
            path.write_text(text)

    return change


def of_before(folder):
    """As of a version of the program that knew of no digests."""
    for path in folder.rglob("origin.json"):
        path.unlink()


def another_tokenizer(folder):
    """As that version did to a run, when its corpus had changed."""
    for path in folder.rglob("*_tokenizer.json"):
        content = json.loads(path.read_text())
        del content["sha256"]
        content["pieces"][4:] = reversed(content["pieces"][4:])
        text = json.dumps(content, sort_keys=True)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        path.write_text(json.dumps({"sha256": sha256, **content}))


def damaged_checkpoints(folder):
    for path in folder.rglob("checkpoints/latest/*/**/*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1])


def data_and_no_config(folder):
    for path in ("run/config.json", "study/study.json"):
        (folder / path).unlink()
    another_pair("train")(folder)


def another_field(name, value):
    return lambda folder: {name: value}


# What changes; what is then said of a run and of a study, and in which states: in all others it goes on, None: in
# none, for nothing has changed.
BOTH, END, HALF = ("finished", "half"), ("finished",), ("half",)
CHANGES = {
    "training data": (another_pair("train"), "split train are not those", BOTH, BOTH),
    "validation data": (another_pair("validation"), "split validation are not", BOTH, BOTH),
    "a link": (another_link, "split validation are not those", BOTH, BOTH),
    "test data": (another_pair("test"), "split test are not those", END, BOTH),
    "data, and no config": (data_and_no_config, "split train are not those", BOTH, BOTH),
    "kind of tokens": (another_field("tokenizer.kind", "char"), "tokenizer.kind: word", BOTH, BOTH),
    "tokens": (another_field("tokenizer.size", 40), "tokenizer.size: 50, now 40", BOTH, BOTH),
    "config": (another_field("training.clip", 2.0), "training.clip: 1.0, now 2.0", BOTH, BOTH),
    "tokenizers": (another_tokenizer, "is not the tokenizer with which", BOTH, HALF),
    "checkpoints": (damaged_checkpoints, "is damaged", BOTH, HALF),
    "version of tokenizers": (
        another_version("**/*_tokenizer.json", "version"),
        "is a tokenizer of version 99",
        BOTH,
        HALF,
    ),
    "version of parameters": (
        another_version("**/origin.json", "parameters"),
        f"has parameters of version 99, and this program reads {checkpoint.VERSION}",
        BOTH,
        BOTH,
    ),
    "version of rows": (
        another_version("study/groups/*/results.jsonl", "version"),
        f"rows of version 99, and this program reads {rows.VERSION}",
        None,
        BOTH,
    ),
    "version of records": (another_version("**/*_records.json", "version"), "", (), ()),
    "before versions": (of_before, "older version of this program", BOTH, BOTH),
}
CASES = [
    (when, what, change)
    for when in BOTH
    for change, (_, _, *refused) in CHANGES.items()
    for what, states in zip(("run", "study"), refused, strict=True)
    if states is not None and (when, change) != ("half", "version of records")
]


@pytest.mark.parametrize(("when", "what", "change"), CASES)
def test_what_changes_under_training_is_refused_by_name_or_it_resumes(again, when, what, change):
    folder = again(when)
    make, message, *refused = CHANGES[change]
    place, base = ("run", "config") if what == "run" else ("study", "config.base")
    flags = [f"--{base}.{name}={value}" for name, value in (make(folder) or {}).items()]
    before = digest_of(folder / place)
    result = (train if what == "run" else study)(folder, *flags)
    if when in refused[what == "study"]:
        assert result.returncode == 2 and message in result.stderr, result
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        assert digest_of(folder / place) == before
        return
    assert result.returncode == 0, result.stderr
    if what == "run":
        assert attention_lab.load(folder / "run").translate([SENTENCE])[0].text == TRANSLATED
        assert records.load(folder / "run/evaluation/test_records")
    else:
        for path in folder.glob("study/groups/*/results.jsonl"):
            assert (
                path.read_bytes() == (folder.parent / when / path.relative_to(folder)).read_bytes()
            )


def test_an_arm_that_has_not_begun_is_refused_where_another_was_trained_on_other_data(again):
    folder = again("half")
    shutil.rmtree(folder / "study/groups/additive")
    another_pair("train")(folder)
    before = digest_of(folder / "study")
    result = study(folder)
    assert result.returncode == 2 and "split train are not those" in result.stderr, result
    assert digest_of(folder / "study") == before


@pytest.mark.parametrize("name", ["report", "claims"])
def test_rows_of_other_data_are_neither_reported_nor_evaluated(again, name):
    folder = again("finished")
    path = folder / "study/groups/additive/results.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["data"]["test"] = "0" * 64
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = digest_of(folder / "study")
    result = command(
        name, *(arguments(folder) if name == "claims" else [f"--workdir={folder}/study"])
    )
    assert result.returncode == 2 and "other examples of the split test than" in result.stderr, (
        result
    )
    assert digest_of(folder / "study") == before


def test_a_config_of_other_data_is_reported_as_another_config(again):
    folder = again("finished")
    result = train(folder, "--config.data.max_length=9", "--config.data.test=validation")
    assert result.returncode == 2, result
    assert re.search(r"another config \(data\.max_length: \d+, now 9, data\.test: ", result.stderr)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_run_is_not_evaluated_on_other_data_under_the_same_name(again, split):
    folder = again("finished")
    another_pair(split)(folder)
    before = digest_of(folder / "run")
    result = command("evaluate", f"--workdir={folder}/run")  # an alignment is chosen on validation
    assert result.returncode == 2 and f"split {split} are not those" in result.stderr, result
    assert len(result.stderr.strip().splitlines()) == 1 and digest_of(folder / "run") == before


def test_scores_of_other_data_are_made_once_the_earlier_ones_are_moved_away(again):
    folder = again("finished")
    another_pair("test")(folder)
    result = command("evaluate", f"--workdir={folder}/run")
    assert f"move {folder}/run/evaluation/test.json away" in result.stderr
    path = folder / "run/evaluation/test.json"
    earlier = json.loads(path.rename(folder / "run/evaluation/earlier.json").read_text())
    for result in (command("evaluate", f"--workdir={folder}/run"), train(folder)):
        assert result.returncode == 0, result.stderr
    assert json.loads(path.read_text())["sentences"] == earlier["sentences"] + 1


def test_a_test_set_that_changes_during_training_overwrites_no_earlier_scores(again, monkeypatch):
    folder = again("finished")
    fit = training.fit

    def changed_meanwhile(*arguments):
        another_pair("test")(folder)
        return fit(*arguments)

    monkeypatch.setattr(training, "fit", changed_meanwhile)
    before = digest_of(folder / "run/evaluation")
    config = json.loads((folder / "run/config.json").read_text())
    with pytest.raises(ValueError, match="split test are not those evaluated before"):
        attention_lab.train(config, folder / "run")
    assert digest_of(folder / "run/evaluation") == before


def test_scores_of_which_the_data_are_not_known_are_not_overwritten(again):
    folder = again("finished")
    path = folder / "run/evaluation/test.json"
    scores = json.loads(path.read_text())
    del scores["data"]
    path.write_text(json.dumps(scores))
    before = digest_of(folder / "run")
    result = train(folder)
    assert (
        result.returncode == 2 and "move" in result.stderr and digest_of(folder / "run") == before
    )
    path.write_text("{")  # whoever wrote it was killed: nothing is lost
    assert command("evaluate", f"--workdir={folder}/run").returncode == 0


@pytest.mark.parametrize(
    "kind", ["word", pytest.param("bpe", marks=[pytest.mark.slow, pytest.mark.promise])]
)
def test_the_same_command_on_more_pairs_leaves_a_finished_run_as_it_is(kind, tmp_path):
    corpus(tmp_path)
    for split in ("train", "validation", "test"):
        lines = (tmp_path / f"{split}.jsonl").read_text().splitlines()
        pairs = [(one["source"], one["target"]) for one in map(json.loads, lines)]
        text = "".join(f"{source}\t{target}\n" for source, target in pairs)
        (tmp_path / f"{split}.tsv").write_text(text)
    fields = {"tokenizer.kind": kind, "training.tokens": 6000}
    words = sentences.words(tmp_path, tmp_path / "run", **fields)
    words += [f"--config.data.options.path={tmp_path}/{{split}}.tsv"]
    assert command("train", *words).returncode == 0
    translate = ["translate", SENTENCE, f"--workdir={tmp_path}/run"]
    translated, before = command(*translate).stdout, digest_of(tmp_path / "run")
    with (tmp_path / "train.tsv").open("a") as file:
        file.write("".join(f"the zebra {n} jumped\tla zébrure {n} sautait\n" for n in range(30)))
    result = command("train", *words)
    assert result.returncode == 2 and "the split train are not those" in result.stderr, result
    assert "--workdir" in result.stderr and digest_of(tmp_path / "run") == before
    assert translated.strip() and command(*translate).stdout == translated


def test_training_resumes_with_its_own_tokenizers_and_not_with_new_ones(made, monkeypatch):
    folder, _ = made
    config = json.loads((folder.parent / "half/run/config.json").read_text())
    own = runs.codec_of(folder.parent / "half/run")
    setup._corpus.cache_clear()
    monkeypatch.setattr(text_to_text, "make_tokenizers", None)  # as another sentencepiece might cut
    found = setup.corpus_of(config, folder.parent / "half/run")
    assert found.codec == own


def test_arms_that_would_translate_different_test_sets_are_refused_before_anything_runs(made):
    folder, kept = made
    config = json.loads((kept["half"] / "study/study.json").read_text())
    path = f"{kept['half']}/{{split}}.jsonl"
    arms = {"one": {}, "other": {"data.test": "validation"}}
    both = [{name: {**fields, "data.options.path": path} for name, fields in arms.items()}]
    both += [{name: {**fields, "data.test": "test"} for name, fields in both[0].items()}]
    unlike, alike = (study_of({**config, "arms": arms}, folder / "new") for arms in both)
    scheduler.check_data(alike)
    with pytest.raises(ValueError, match="arms one and other have different test sets"):
        scheduler.run(unlike, unlike.groups)
    assert not (folder / "new").exists()
