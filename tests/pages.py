"""The pages for readers, README.md, CONTRIBUTING.md and docs/*.md, and what stands in them."""

import ast
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent
PATHS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in PATHS]


def text(name):
    """A page's text."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name, language):
    """A page's blocks of code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text(name), flags=re.DOTALL | re.MULTILINE)


def without_blocks(name):
    """A page's text, without its blocks of code."""
    return re.sub(r"^```.*?^```\n", "", text(name), flags=re.DOTALL | re.MULTILINE)


def section(name, heading):
    """What stands under a heading, up to the next of its level."""
    (_, found) = re.split(rf"^## {re.escape(heading)}\n", text(name), flags=re.MULTILINE)
    return found.split("\n## ")[0]


def links(name):
    """The targets of a page's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", without_blocks(name)))


def anchors(name):
    """The anchors that GitHub and MyST make from a page's headings."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(name), flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def inline_codes(name):
    """What stands in single backquotes, on one line or two."""
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", without_blocks(name))]


def commands(name):
    """The words of every `python -m experiments...` of a page, in blocks or in sentences."""
    lines = [line for block in blocks(name, "bash") for line in block.splitlines()]
    for line in [*lines, *inline_codes(name)]:
        for part in re.split(r" && |\|", line):
            words = shlex.split(part, comments=True)
            if words[:2] == ["python", "-m"] and words[2].startswith("experiments."):
                yield words[2:]


def loose_flags(name):
    """Flags that a sentence names without their command."""
    for code in inline_codes(name):
        if code.startswith("--"):
            yield from shlex.split(code)


def flags_of(module):
    """The flags that a module of experiments defines, or adopts from another, by their names in its source."""
    names = {"help"}
    for node in ast.walk(ast.parse(path_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr.startswith("DEFINE_"):
                names.add(node.args[0].value)
            elif node.func.attr == "adopt_module_key_flags":
                names |= flags_of(f"experiments.{node.args[0].id}")
    return names


def default_config_of(module):
    """The config that a command takes where none is given, or None."""
    found = re.search(
        r'^DEFAULT = "(.+)"$', path_of(module).read_text(encoding="utf-8"), re.MULTILINE
    )
    return found[1] if found else None


def path_of(module):
    """A module's file."""
    return ROOT / (module.replace(".", "/") + ".py")
