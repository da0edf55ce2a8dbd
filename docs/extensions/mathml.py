"""Formulas as MathML, which browsers draw by themselves: no script, and nothing from a network."""

from docutils import nodes
from docutils.utils.math import latex2mathml


def setup(app):
    """Registers the renderer that `html_math_renderer = "mathml"` in conf.py chooses."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def inline(writer, node):
    """Writes a formula within a sentence."""
    writer.body.append(mathml(node, as_block=False))
    raise nodes.SkipNode


def block(writer, node):
    """Writes a formula that has a line of its own."""
    writer.body.append(f'<div class="math">{mathml(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def mathml(node, as_block):
    """The `<math>` element of a node. Raises ValueError with the formula where LaTeX is not understood."""
    try:
        return latex2mathml.tex2mathml(node.astext(), as_block=as_block)
    except SyntaxError as problem:  # MathError of docutils >= 0.22 is one
        raise ValueError(
            f"formula {node.astext()!r} cannot be written as MathML: {problem}"
        ) from None
