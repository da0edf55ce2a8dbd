"""What the pages show is true: Python runs, commands and flags exist, tables are the code's, links lead somewhere."""

import functools
import importlib
import re
import subprocess

import pytest

from attention_lab import mechanism
from attention_lab.mechanism import legality, registry
from attention_lab.models import DECODERS, ENCODERS
from attention_lab.models.decoders.deep_output import READOUTS
from attention_lab.runs import named
from tests import pages

pytestmark = pytest.mark.oldest

every_page = pytest.mark.parametrize("page", pages.NAMES)
PLACEHOLDERS = {"C", "..."}  # for a config, in tables of what to add to a command


# contributing_test executes those of CONTRIBUTING, in the modules that they belong to.
WITH_PYTHON = [name for name in pages.NAMES[:1] + pages.NAMES[2:] if pages.blocks(name, "python")]


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_its_python_runs(page):
    for block in pages.blocks(page, "python"):
        exec(block, {})


def test_python_stands_where_it_is_expected():
    assert {"README.md", "docs/guide.md"} <= set(WITH_PYTHON)


@every_page
def test_its_commands_are_shell(page):
    checked = subprocess.run(
        ["bash", "-n"], input="\n".join(pages.blocks(page, "bash")), text=True, capture_output=True,
        encoding="utf-8",
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


@every_page
def test_its_blocks_name_their_language(page):
    assert not re.search(r"^```\n(?!\n)[^`]+^```", pages.text(page), flags=re.MULTILINE)


@every_page
def test_its_commands_exist_with_their_flags_and_fields(page):
    for module, *words in pages.commands(page):
        assert pages.path_of(module).is_file(), module
        given = {}
        for word in words:
            if word.startswith("--"):
                name, _, value = word[2:].partition("=")
                given[name] = value
        unknown = {name.split(".")[0] for name in given} - pages.flags_of(module)
        assert not unknown, f"{module} has no flag {unknown}"
        config = given.pop("config", None) or pages.default_config_of(module)
        if config is not None and config not in PLACEHOLDERS:
            made = config_of(config)
            for name in given:
                if name.startswith("config."):
                    assert has(made, name), f"{config} has no {name}"


@every_page
def test_flags_that_it_names_belong_to_some_command(page):
    modules = [f"experiments.{path.stem}" for path in (pages.ROOT / "experiments").glob("*.py")]
    known = set().union(*map(pages.flags_of, modules))
    configs = [
        config_of(name) for name in ("configs/quickstart.py", "configs/multi30k.py:transformer")
    ]
    configs += [config_of("configs/ablations/quickstart.py"), config_of("configs/multi30k.py:gru")]
    for word in pages.loose_flags(page):
        name, _, value = word[2:].partition("=")
        if name == "config" and value:
            config_of(value)
        elif name.startswith("config."):
            assert any(has(config, name) for config in configs), word
        else:
            assert name in known or name.startswith("xla_"), word


def config_of(name):
    """The config that `--config=NAME` makes; a study's or a task's file is imported as a module."""
    path, _, argument = name.partition(":")
    assert (pages.ROOT / path).is_file(), path
    if (
        path == "configs/fine_tuning.py"
    ):  # the folder of a model, which is not here, and another config
        other, colon, argument = argument.rpartition(",")[2].partition(":")
        return config_of(f"configs/{other}.py{colon}{argument}")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    return module.get_config(argument) if argument else module.get_config()


def has(config, name):
    """Whether `--config.a.b` is a field of it. The options of a dataset are free."""
    for field in name.split(".")[1:]:
        if field not in config:
            return False
        config = config[field]
        if field == "options":
            return True
    return True


def test_the_table_of_what_is_legal_is_the_one_in_the_code():
    message = "paste what `python -m experiments.benchmark --list` prints into docs/costs.md"
    assert legality.markdown() in pages.text("docs/costs.md"), message


def test_the_table_of_scores_has_every_score():
    rows = re.findall(r"^\| `(\w+)` \|", pages.section("docs/formulas.md", "Scores"), re.MULTILINE)
    assert rows == list(mechanism.SCORES)


def test_every_function_in_the_glossary_exists():
    glossary = pages.section("docs/formulas.md", "From the formulas to the names")
    names = {
        name
        for row in glossary.splitlines()
        if row.startswith("| $")
        for name in re.findall(r"`([a-zA-Z_0-9]+)", row.split("|")[2])
    }
    known = set(dir(mechanism)) | {name for pieces in registry.PIECES.values() for name in pieces}
    known |= set(registry.ENCODINGS) | {"rotary", "qk_norm", "both", "either", "vector", "weights"}
    known |= {*ENCODERS, *DECODERS, *READOUTS, "readout"}
    assert len(names) > 20 and not names - known
    assert set(re.findall(r"decoder `(\w+)`", glossary)) == set(DECODERS)
    assert set(re.findall(r"encoder `(\w+)`", glossary)) == set(ENCODERS)


def test_the_table_of_named_transformers_has_their_options():
    table = pages.section("docs/formulas.md", "Transformers by name")
    (_, *names), _, *rows = (
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    )
    assert len(names) == 6 and len(rows) > 15
    for option, *cells in rows:
        for name, cell in zip(names, cells, strict=True):
            model = named.model(name)
            top = option.split(".")[0] in model
            fields = functools.reduce(
                lambda part, field: part[field],
                option.split("."),
                model if top else model["decoder"],
            )
            assert cell == str(fields), f"{option} of {name}"


def test_verdicts_are_counted_as_the_table_has_them():
    table = pages.section("docs/claims.md", "On the embedded corpus")
    words = ("HOLDS", "FAILS", "INCONCLUSIVE")
    count = {word: len(re.findall(rf"\| {word}(, EARLY)? \|$", table, re.M)) for word in words}
    hold, fail, still_open = count.values()
    assert min(count.values()) > 0
    assert f"{hold} hold, {fail} fail and {still_open} are open" in pages.text("docs/claims.md")
    words = f"{hold} hold, {fail} fail and {still_open} are open on the embedded corpus"
    assert words in " ".join(pages.text("README.md").split())


@every_page
def test_its_links_lead_somewhere(page):
    for link in pages.links(page):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = ((pages.ROOT / page).parent / target).resolve() if target else pages.ROOT / page
        assert path.exists(), link
        if anchor:
            assert anchor in pages.anchors(path.relative_to(pages.ROOT)), link


@every_page
def test_its_anchors_are_unambiguous(page):
    anchors = pages.anchors(page)
    assert len(anchors) == len(set(anchors))


@every_page
def test_its_prose_has_short_lines(page):
    prose = pages.without_blocks(page).replace(legality.markdown(), "").splitlines()
    assert not [
        line for line in prose if len(line) > 120 and not line.startswith(("|", "$$", "!["))
    ]


@every_page
def test_no_wrapped_line_reads_as_an_item_of_a_list(page):
    assert not re.search(r"^ *(\+|\*|\d+[.)]) ", pages.without_blocks(page), flags=re.MULTILINE)


@every_page
def test_nothing_in_it_reads_as_html(page):
    prose = re.sub(r"`[^`]*`", "", pages.without_blocks(page))
    assert not re.search(r"</?[a-zA-Z]", prose)


@every_page
def test_it_installs_from_no_address(page):
    assert not re.search(r"git clone \S*[:/]|git\+|pip install \S*://", pages.text(page))
