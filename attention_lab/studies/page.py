"""A report as one self-contained HTML page, without scripts or references to other files.

All names of a study (arms, words, tokens) are escaped, so that they are shown as text.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data.documents import joined
from attention_lab.evaluation.regions import contained

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b2a41; background: #fff; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p { max-width: 46rem; } .muted { color: #55606e; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.data th, .data td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #dde3ea; white-space: nowrap; }
.data th { font-weight: 600; }
.higher, .lower { font-weight: 600; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1rem 2rem; }
figure { margin: 0; } figure svg { width: 100%; height: auto; } figcaption { font-weight: 600; }
.maps { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; align-items: flex-start; }
.map td { width: 1.7rem; height: 1.5rem; padding: 0; border: 1px solid #eef1f5; font-size: 11px; text-align: center; }
.map th { font-weight: 400; font-size: 13px; text-align: right; padding-right: .5rem; white-space: nowrap; }
.map thead th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; padding: .3rem 0 0; vertical-align: bottom; }
.map td.sentence { width: auto; text-align: left; font-size: 13px; padding: 0 .5rem; }
.map td.linked { outline: 2px solid #D55E00; outline-offset: -2px; }
.grids { display: flex; flex-wrap: wrap; gap: .4rem .8rem; }
.rows .word { display: flex; gap: .6rem; } .rows .word figcaption { width: 6rem; text-align: right; overflow: hidden; }
.word figcaption { font-weight: 400; font-size: 13px; }
.states td { width: .65rem; height: .65rem; padding: 0; } .rows .states td { width: .35rem; height: 1.1rem; }
.states td.linked { box-shadow: inset 0 0 0 1px #D55E00; }
""".strip()

CAPTION = """\
The weights, in percent, are those of the first seed of each arm under teacher forcing. Columns are source words and rows \
are target words; where the sentences of the source are known, rows are sentences. Each word of a caption has a map of \
the image, and each word of a transcript a row over time, in which its greatest weight is the darkest. Known links, \
regions and times, and sentences that support an answer, are outlined."""


class Table(NamedTuple):
    """A table with a title. note: a description in whole sentences, or an empty string."""

    title: str
    note: str
    header: list[str]
    lines: list[list[str]]


def page(
    title: str,
    subtitle: str,
    tables: Sequence[Table],
    figures: Mapping[str, str],
    examples: Mapping[str, Any],
    note: str,
) -> str:
    """Returns the whole page. figures: <svg> elements by title; examples: the weights of one sentence by arm."""
    body = [f"<h1>{escape(title)}</h1>", f'<p class="muted">{escape(subtitle)}</p>']
    body += [_table(table) for table in tables[:2]]
    body.append(f'<p class="muted">{escape(note)}</p>')
    elements = [
        f"<figure><figcaption>{escape(name)}</figcaption>{svg}</figure>"
        for name, svg in figures.items()
    ]
    body.append('<h2>Figures</h2><div class="figures">' + "".join(elements) + "</div>")
    maps = [_map(arm, example) for arm, example in examples.items() if example]
    if maps:
        body.append(f'<h2>One example</h2><p>{CAPTION}</p><div class="maps">{"".join(maps)}</div>')
    body += [_table(table) for table in tables[2:]]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title>'
    # An empty icon, because browsers would request one.
    head += '<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _table(table: Table) -> str:
    if not table.lines:
        return ""
    header = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header)
    lines = []
    for line in table.lines:
        direction = line[-1].partition(",")[0]
        direction = direction if direction in ("higher", "lower") else ""
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in line)
        lines.append(f'<tr class="{direction}">{cells}</tr>' if direction else f"<tr>{cells}</tr>")
    note = f"<p>{escape(table.note)}</p>" if table.note else ""
    return (
        f'<h2>{escape(table.title)}</h2>{note}<div class="wide"><table class="data">'
        f"<thead><tr>{header}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _map(arm: str, example: Mapping[str, Any]) -> str:
    """Returns the weights as a table of colored cells, [target words, source words + 1]; the last belongs to no word.

    If the sentences of the source are known, the table is that of `_passage`, and if the source is no text, that of `_states`.
    """
    if "supporting" in example:
        return _passage(arm, example)
    if "boxes" in example:
        return _states(arm, example)
    links = {tuple(link) for link in example["links"]}
    across = "".join(f'<th scope="col">{escape(word)}</th>' for word in [*example["source"], "∅"])
    lines = []
    for j, (word, row) in enumerate(zip(example["target"], example["weights"], strict=True)):
        cells = "".join(_cell(weight, (i, j) in links) for i, weight in enumerate(row))
        lines.append(f'<tr><th scope="row">{escape(word)}</th>{cells}</tr>')
    return (
        f'<figure><figcaption>{escape(arm)}</figcaption><table class="map">'
        f"<thead><tr><td></td>{across}</tr></thead><tbody>{''.join(lines)}</tbody></table></figure>"
    )


def _passage(arm: str, example: Mapping[str, Any]) -> str:
    """Returns the weights [sentences] of the answer, as a table of a colored cell and the sentence for each of them."""
    sentence_of = np.array(example["sentence_of"])
    words = np.array(example["weights"])[:, :-1].mean(0)
    lines = []
    for index, text in enumerate(joined(example["source"], example["sentence_of"])):
        cell = _cell(words[sentence_of == index].sum(), index in example["supporting"])
        lines.append(f'<tr>{cell}<td class="sentence">{escape(text)}</td></tr>')
    asked = np.flatnonzero(sentence_of < 0)
    question = " ".join(example["source"][i] for i in asked)
    caption = escape(f"{arm}: {question} {' '.join(example['target'])}")
    return f'<figure><figcaption>{caption}</figcaption><table class="map"><tbody>{"".join(lines)}</tbody></table></figure>'


def _states(arm: str, example: Mapping[str, Any]) -> str:
    """Returns the weights on the states of an image, a small grid for each word, or on those of a recording, a row for each."""
    words = []
    for word, weights, boxes in zip(
        example["target"], example["weights"], example["boxes"], strict=True
    ):
        rows = np.atleast_2d(np.array(weights))
        inside = np.zeros(rows.shape, bool)
        if boxes:
            inside = np.atleast_2d(contained(np.shape(weights), np.array(boxes)))
        shades = rows / max(rows.max(initial=0), 1e-9)  # each word has its own scale
        lines = [
            "".join(_cell(shade, within, "") for shade, within in zip(*pair, strict=True))
            for pair in zip(shades, inside, strict=True)
        ]
        cells = "".join(f"<tr>{line}</tr>" for line in lines)
        words.append(
            f'<figure class="word"><figcaption>{escape(word)}</figcaption>'
            f'<table class="states"><tbody>{cells}</tbody></table></figure>'
        )
    across = "rows" if np.ndim(example["weights"]) == 2 else "grids"
    return (
        f"<figure><figcaption>{escape(arm)}</figcaption>"
        f'<div class="{across}">{"".join(words)}</div></figure>'
    )


def _cell(weight: float, linked: bool, text: str | None = None) -> str:
    """Returns a colored cell. text: what it says, by default the weight in percent."""
    shade = min(max(float(weight), 0.0), 1.0)
    # From white to the dark blue of the heatmaps; the number does not depend on color vision.
    red, green, blue = (round(255 + (dark - 255) * shade) for dark in (8, 48, 107))
    ink = "#fff" if shade > 0.5 else "#1b2a41"
    number = f"{100 * weight:.0f}" if weight >= 0.005 else ""
    number = number if text is None else text
    kind = ' class="linked"' if linked else ""
    return f'<td{kind} style="background:rgb({red},{green},{blue});color:{ink}">{number}</td>'
