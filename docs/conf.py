"""The configuration of Sphinx: `sphinx-build -W --keep-going -n docs build/docs` (pip install ".[docs]").

No page needs a network: formulas are MathML, and the theme includes its fonts and scripts.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent / "extensions")]

import attention_lab  # noqa: E402  (the lines above set its path)

project = "attention_lab"
author = "The authors of attention_lab"
version = release = attention_lab.__version__

autodoc_mock_imports = ["torch", "tokamax"]  # optional libraries, which the benchmark measures
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "docstrings",
    "mathml",
    "reference",
    "root_pages",
]
exclude_patterns = ["extensions"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
# Types of other libraries have no links in signatures, because finding their documentation needs a network.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(collections|contextlib|flax|jax|matplotlib|numpy|optax|os|pathlib|sacrebleu|types)\..*",
    ),
    # Type variables, which are no classes of the reference.
    (
        "py:class",
        r"attention_lab\.data\.(corpus_files\.Item|rosetta\.(dice\.Choice|stories\.Told))",
    ),
]
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "attention_lab"
html_show_copyright = False
html_math_renderer = "mathml"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["pages.css"]
