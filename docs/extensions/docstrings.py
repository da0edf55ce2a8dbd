"""Converts the package's docstrings, which are plain text for readers of the source, to reStructuredText.

`name` in single backquotes is code; indented lines are a block of code; a line that begins with the name of a
parameter or field and a colon is an entry of a list. The fields of a named tuple are listed with their trailing
comments; a module lists its registries, and a package the names that it exports.
"""

import ast
import inspect
import re
import sys
import textwrap
from types import MappingProxyType

CODE = re.compile(r"`+[^`]+`+")
SPECIAL = re.compile(r"([\\*|_])")
ENTRY = re.compile(r"([A-Za-z_]\w*(?:, \w+)*): ")


def setup(app):
    """Registers the functions that autodoc calls for every docstring and member."""
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", sign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def skip(app, what, name, member, skipped, options):
    """Omits the generated docstrings of a named tuple's fields ("Alias for field number 0")."""
    return True if (inspect.getdoc(member) or "").startswith("Alias for field number") else None


def sign(app, what, name, item, options, signature, returns):
    """Omits the types of a named tuple, which its list of fields has, and the arguments that Flax adds to modules."""
    if what == "class" and hasattr(item, "_fields"):
        return f"({', '.join(item._fields)})", returns
    if what == "class" and signature and (end := signature.find(", parent: ")) > 0:
        return f"{signature[:end]})", returns
    return None


def process(app, what, name, item, options, lines):
    """Converts the lines of a docstring to reStructuredText, and adds fields and exported names."""
    if (
        what == "module" and item.__doc__
    ):  # autodoc removes indentation, which the original docstring still has
        lines[:] = item.__doc__.strip().splitlines()
    names = names_of(item)
    lines[:] = restructured(lines, names)
    if inspect.isclass(item) and hasattr(item, "_fields"):
        lines += ["", *fields(item, described={name for name in names if entry(lines, name)})]
    if what == "module" and hasattr(item, "__path__") and hasattr(item, "__all__"):
        lines += ["", *exported(item)]
    elif what == "module":
        lines += ["", *registries(item)]


def names_of(item):
    """Returns the names that may have entries in a docstring: parameters or fields."""
    try:
        return set(getattr(item, "_fields", None) or inspect.signature(item).parameters)
    except (TypeError, ValueError):
        return set()


def entry(lines, name):
    """Returns whether the lines have an entry of that name."""
    return any(line.startswith("* ") and f"``{name}``" in line.split(":")[0] for line in lines)


def restructured(lines, names):
    """Converts plain lines to reStructuredText, by the rules in the docstring of this module."""
    result, state = (
        [],
        "blank",
    )  # the kind of the previous line: blank, text, item (of a list), code
    for line in whole_spans(lines):
        match = ENTRY.match(line)
        if not line.strip():
            result.append("")
            state = "code" if state == "code" else "blank"
        elif line.startswith("  ") and state in ("blank", "code"):
            result += ["    " + line] if state == "code" else ["::", "", "    " + line]
            state = "code"
        elif (match and set(match[1].split(", ")) <= names) or line.startswith("- "):
            result += [] if state == "item" else [""]
            end = match.end() if match else 2
            words = (
                ", ".join(f"``{word}``" for word in match[1].split(", ")) + ": " if match else ""
            )
            result.append(f"* {words}{inline(line[end:])}")
            state = "item"
        elif state == "item" and not line.startswith(("Raises ", "Returns ")):
            result.append("  " + inline(line.strip()))
        else:
            new = state in ("item", "code") or line.startswith(("Raises ", "Returns "))
            result += ["", inline(line.strip())] if new else [inline(line.strip())]
            state = "text"
    return [*result, ""]


def whole_spans(lines):
    """Joins two lines where code in backquotes extends over both."""
    joined = []
    for line in lines:
        if joined and joined[-1].count("`") % 2 and line.strip():
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return joined


def inline(line):
    """Returns a line with its code in double backquotes and all other markup escaped."""
    pieces, end = [], 0
    for match in CODE.finditer(line):
        pieces.append(SPECIAL.sub(r"\\\1", line[end : match.start()]))
        pieces.append(f"``{match[0].strip('`')}``")
        end = match.end()
    return "".join([*pieces, SPECIAL.sub(r"\\\1", line[end:]).replace("`", r"\`")])


def fields(item, described):
    """Yields a list of a named tuple's fields, each with its default and its trailing comment."""
    source = textwrap.dedent(inspect.getsource(item))
    rows = source.splitlines()
    body = ast.parse(source).body[0].body
    for node in body:
        if isinstance(node, ast.AnnAssign) and node.target.id not in described:
            _, _, comment = rows[node.end_lineno - 1][node.end_col_offset :].partition("#")
            description = f": {inline(comment.strip())}" if comment else ""
            default = f" = {ast.unparse(node.value)}" if node.value else ""
            yield f"* ``{node.target.id}: {ast.unparse(node.annotation)}{default}``{description}"


def exported(package):
    """Returns a paragraph with a link to each function and class that a package exports."""
    links = []
    for name in package.__all__:
        member = getattr(package, name)
        home = getattr(member, "__module__", None)
        if (inspect.isfunction(member) or inspect.isclass(member)) and home in sys.modules:
            links.append(f":py:obj:`{name} <{home}.{member.__qualname__}>`")
        else:
            links.append(f"``{name}``")
    return [f"It exports {', '.join(links)}.", ""] if links else []


def registries(module):
    """Yields a list of a module's registries, each with its names."""
    for name, value in vars(module).items():
        if isinstance(value, MappingProxyType) and re.search(
            rf"^{name}\b.*=", inspect.getsource(module), re.M
        ):
            yield f"* ``{name}``: {', '.join(f'``{key}``' for key in value)}"
