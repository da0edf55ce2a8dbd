"""The API reference: one page for each package of attention_lab, a section for each of its modules.

The pages are written before Sphinx reads its sources, into docs/reference/, and say only which modules to read:
a module that is added, renamed or removed is right at the next build.
"""

import ast
from pathlib import Path

from docstrings import inline

HEAD = "API reference"
# The order of the pages; a package that is not named here comes after these.
ORDER = [
    "mechanism",
    "models",
    "data",
    "decoding",
    "training",
    "evaluation",
    "views",
    "tasks",
    "runs",
]
PACKAGE = Path(__file__).resolve().parents[2] / "attention_lab"


def setup(app):
    """Registers the writer of the pages."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(app):
    """Writes docs/reference/*.rst, leaves what has not changed alone, and removes what has no package any more."""
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    pages = {f"{name_of(package)}.rst": page(package) for package in packages()}
    pages["index.rst"] = contents()
    for old in folder.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def packages():
    """The folders of attention_lab that are packages: itself first, then from the mathematics outwards."""
    folders = [path.parent for path in PACKAGE.rglob("__init__.py")]

    def place(folder):
        rooms = folder.relative_to(PACKAGE).parts
        return (
            bool(rooms),
            ORDER.index(rooms[0]) if rooms and rooms[0] in ORDER else len(ORDER),
            folder,
        )

    return sorted(folders, key=place)


def name_of(path):
    """The dotted name of a module or package."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def contents():
    """The first page: every package with the first paragraph of its docstring."""
    rows = [HEAD, "=" * len(HEAD), ""]
    for package in packages():
        tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
        summary = " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split())
        rows += [f":doc:`{name_of(package)}`", f"   {inline(summary)}", ""]
    return "\n".join(
        [*rows, ".. toctree::", "   :hidden:", "", *(f"   {name_of(p)}" for p in packages()), ""]
    )


def page(package):
    """A page's text: the package, then its modules in alphabetical order."""
    modules = sorted(path for path in package.glob("*.py") if path.stem != "__init__")
    return "\n".join([section(name_of(package), "="), *(section(name_of(m), "-") for m in modules)])


def section(name, underline):
    """A heading and the directive that reads a module. What a module exports is described where it is defined."""
    options = ["   :members:", "   :show-inheritance:"]
    if name != PACKAGE.name:
        options.append("   :ignore-module-all:")
    return "\n".join([name, underline * len(name), "", f".. automodule:: {name}", *options, ""])
