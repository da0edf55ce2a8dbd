"""What the README shows is true: its Python runs, its table is the table, its links lead somewhere."""

import pathlib
import re

import pytest
from attention_lab.models.timings import TIMINGS

from attention_lab import mechanism
from attention_lab.mechanism import legality, registry

pytestmark = pytest.mark.oldest

ROOT = pathlib.Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


def test_its_python_runs():
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})


def test_its_table_of_what_is_legal_is_the_one_in_the_code():
    told = "paste what `python -m experiments.benchmark --list` prints into README.md"
    assert legality.markdown() in TEXT, told


def test_every_function_in_its_glossary_exists():
    glossary = TEXT.split("## From the formulas to the names")[1].split("\n## ")[0]
    names = {
        name
        for row in glossary.splitlines()
        if row.startswith("| $")
        for name in re.findall(r"`([a-zA-Z_0-9]+)", row.split("|")[2])
    }
    known = set(dir(mechanism)) | {name for pieces in registry.PIECES.values() for name in pieces}
    known |= set(registry.ENCODINGS) | {"rotary", "both", "either", "vector", "weights"}
    known |= {"models", "timing"}
    assert len(names) > 20 and not names - known
    assert set(re.findall(r'timing="(\w+)"', glossary)) == set(TIMINGS)


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / target).exists(), target
