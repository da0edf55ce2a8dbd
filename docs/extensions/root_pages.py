"""README.md and CONTRIBUTING.md, which lie above this folder, as the pages index and contributing."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"index": "README.md", "contributing": "CONTRIBUTING.md"}


def setup(app):
    """Registers what Sphinx calls for every page that it reads."""
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def read(app, page, source):
    """Puts the file above where the page says {{ README.md }}, with links that lead on from this folder."""
    if page in PAGES:
        path = ROOT / PAGES[page]
        app.env.note_dependency(path)
        text = path.read_text(encoding="utf-8")
        source[0] = source[0].replace(f"{{{{ {path.name} }}}}", relinked(text))
    source[0] = re.sub(r"\]\(\.\./CONTRIBUTING\.md", "](contributing.md", source[0])
    source[0] = re.sub(r"\]\(\.\./README\.md", "](index.md", source[0])


def relinked(text):
    """The text with the targets of its links as seen from docs/."""

    def moved(match):
        target = match[1]
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        if (ROOT / target).is_dir():  # of the package: what the reference says of it
            return f"](reference/{target.strip('/').replace('/', '.')}.rst)"
        inside = target.removeprefix("docs/")
        return f"]({inside if inside != target else '../' + target})"

    return re.sub(r"\]\(([^)]+)\)", moved, text)
