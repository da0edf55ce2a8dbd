"""From rows to tables: what each cell says, on rows that are made by hand."""

import json

import numpy as np
import pytest

from attention_lab.evaluation.statistics import Interval
from attention_lab.studies import figures, findings, page, reporting, summary, tables
from attention_lab.studies.findings import Comparison, Point
from attention_lab.studies.page import Table
from attention_lab.studies.rows import VERSION
from attention_lab.studies.study import study_of
from attention_lab.studies.tuning import trials as tuning_trials
from attention_lab.views.curves import Curve
from tests.studies import made
from tests.studies.differences_test import table as right_words
from tests.studies.made import AER, BLEU, METRICS
from tests.studies.study_test import config_of

COST = {"parameters": 12_345, "flops": 2_340_000_000_000, "memory": 3_400_000}
SENTENCES = 12


def comparison(estimate=1.0, adjusted=0.01, metric=BLEU, **more):
    interval = Interval(estimate, estimate - 1.234, estimate + 1.234, 0.001, 0.1, 3)
    one = Comparison(metric, "a", "b", interval, adjusted, (-0.126, 2.126), 1.26, 7)
    return one._replace(**more)


@pytest.mark.parametrize(
    ("estimate", "adjusted", "message"),
    [
        (1.0, 0.0499, "higher"),
        (-1.0, 0.0499, "lower"),
        (1.0, 0.05, "not significant"),
        (-1.0, 0.6, "not significant"),
    ],
)
def test_a_difference_is_higher_or_lower_where_the_adjusted_p_is_below_five_percent(
    estimate, adjusted, message
):
    assert tables.conclusion(comparison(estimate, adjusted)) == message
    assert tables.marked(message, False) == message
    assert tables.marked(message, True) == f"{message}, EARLY"


def test_numbers_are_written_with_as_many_decimals_as_they_have():
    message = [tables.p_value(p) for p in (0.00099, 0.001, 0.0124, 1.0)]
    assert message == ["< 0.001", "0.001", "0.012", "1.000"]
    found = Point(0, 12.346, 11.0, 13.5, 20)
    assert tables.interval(found) == "12.35 [11.00, 13.50]"
    assert tables.interval(found, 1) == "12.3 [11.0, 13.5]"
    assert tables.interval(Point(0, 12.346, 12.346, 12.346, 20)) == "12.35"
    assert tables.interval(None) == "-"


def test_a_grid_is_as_wide_as_its_widest_cells():
    found = tables.grid(["a", "long head"], [["x|y", "1"], ["z", "22"]])
    assert found.splitlines() == [
        "| a    | long head |",
        "| ---- | --------- |",
        r"| x\|y | 1         |",
        "| z    | 22        |",
    ]


def test_a_table_in_markdown_has_a_title_and_a_note_or_says_what_is_missing():
    some = Table("Arms", "A note.", ["a"], [["1"]])
    assert tables.markdown(some) == "## Arms\n\nA note.\n\n| a |\n| - |\n| 1 |"
    assert tables.markdown(some._replace(note="")) == "## Arms\n\n| a |\n| - |\n| 1 |"
    assert "needs two arms with two seeds" in tables.markdown(some._replace(lines=[]))


def arm_rows(arm, level, seeds=3, **more):
    right = np.minimum(np.array(right_words(level, seeds, SENTENCES)), 8).tolist()
    rows = made.rows(arm, right, **{**COST, **more})
    for seed, row in enumerate(rows):
        row["scores"] = {"bleu": {"score": 20.0 + seed, "signature": "nrefs:1|tok:13a"}}
    return rows


def test_the_table_of_arms():
    rows = [
        *arm_rows("one", "low", 1),
        *arm_rows("three", "high", links=True, validation=(0.0,) * 9 + (99.0,)),
    ]
    found = reporting.scores(rows, ["one", "three"], METRICS)
    assert (found.title, found.note) == ("Arms", "")
    assert found.header == [
        *("arm", "seeds", "BLEU [95 %]", "AER % [95 %]", "sd of BLEU", "parameters"),
    ]
    bleu, aer = (findings.score(rows, "three", metric) for metric in METRICS)
    one = findings.score(rows, "one", BLEU).score
    assert found.lines == [
        ["one", "1", f"{one:.2f}", "-", "-", "12,345"],
        [
            *("three", "3", f"{bleu.score:.2f} [{bleu.low:.2f}, {bleu.high:.2f}] EARLY"),
            *(f"{aer.score:.2f} [{aer.low:.2f}, {aer.high:.2f}]", "1.00", "12,345"),
        ],
    ]


def test_the_table_of_differences(monkeypatch):
    every = [
        comparison(),
        comparison(-1.0, 0.2, metric=AER, needed=None, arm="b", other="a"),
    ]
    monkeypatch.setattr(findings, "compare", lambda rows, arms, metrics: every)
    monkeypatch.setattr(findings, "library_p", lambda rows, some: {("a", "b", "bleu"): 0.02})
    monkeypatch.setattr(
        findings, "early", lambda rows, *arms, metric: (*arms, metric) == ("b", "a", BLEU)
    )
    found = reporting.differences([], ["a", "b"], METRICS, BLEU)
    assert found.lines == [
        [
            *("a - b", "BLEU", "+1.00 [-0.23, +2.23]", "0.010", "+1.3", "7"),
            *("[-0.13, +2.13]", "0.020", "higher"),
        ],
        [
            *("b - a", "AER %", "-1.00 [-2.23, +0.23]", "0.200", "+1.3", "-"),
            *("[-0.13, +2.13]", "", "not significant, EARLY"),
        ],
    ]
    assert (
        found.header[-3:] == ["bootstrap", "sacreBLEU's p", "conclusion"] and len(found.header) == 9
    )
    assert (found.title, found.note) == ("Differences", "")


def test_skipped_updates_are_reported_by_arm_and_seed():
    rows = [
        {"arm": "a", "seed": 0, "skipped": 0, "frozen": False},
        {"arm": "a", "seed": 1, "skipped": 1200, "frozen": False},
    ]
    message = (
        "Replicas that skipped nonfinite updates, and are included like the others: "
        "a, seed 1: 1,200."
    )
    assert summary.skipped(rows) == message
    frozen = [*rows, {"arm": "b", "seed": 0, "skipped": 99, "frozen": True}]
    assert "a frozen replica skipped" in summary.skipped(frozen)
    assert summary.skipped(frozen).endswith(": a, seed 1: 1,200; b, seed 0: 99 (frozen).")
    assert summary.skipped(rows[:1]) == summary.skipped([{"arm": "a", "seed": 0}]) == ""


def test_refused_sentences_are_reported_by_arm_and_seed():
    rows = [{"arm": "a", "seed": n, "refused": n * 1000} for n in range(3)]
    assert summary.refused(rows).endswith("empty translations: a, seed 1: 1,000; a, seed 2: 2,000.")
    assert summary.refused(rows[:1]) == summary.refused([{"arm": "a", "seed": 0}]) == ""


def test_words_by_class_have_a_line_for_each_class_and_a_column_for_each_arm():
    rows = arm_rows("none", "low") + arm_rows("some", "high", long=(0, 1))
    for row in rows:
        if row["arm"] == "some":
            parts = row["statistics"]["test"]
            parts["jump"] = [made.class_parts(n, 4, of=2) for n in (1, 2, 3, 4) * 3]
    found = {one.title: one for one in reporting.details(rows, ["none", "some"], BLEU)}
    assert list(found) == ["By length", "By frequency", "By order", "Cost"]
    none, some = (findings.by_length(rows, arm, BLEU) for arm in ("none", "some"))
    lengths = found["By length"]
    assert lengths.header == ["", "sentences", "none", "some"]
    assert lengths.lines == [
        ["1-10", "12", tables.interval(none[0], 1), tables.interval(some[0], 1)],
        ["31-40", "2", "-", tables.interval(some[1], 1)],
    ]
    assert lengths.note == "BLEU of test sentences, by the number of source words."
    order = found["By order"]
    assert order.header == ["", "words", "some"] and [line[:2] for line in order.lines] == [
        ["two away", "96"]
    ]
    assert order.lines[0][2].startswith("31.2 [")
    assert found["By frequency"].lines[0][:2] == ["1-9", "96"]
    assert "number of occurrences in training" in found["By frequency"].note


def test_the_table_of_attention_is_of_the_arms_that_have_some():
    rows = [
        {"arm": "none"},
        {"arm": "a", "entropy": 1.0, "agreement": {"seeds": [0.5, 0.7], "heads": [0.2, 0.2]}},
        {"arm": "a", "entropy": 2.0, "agreement": {"seeds": [0.9, 0.9], "heads": [0.4, 0.6]}},
        {"arm": "b", "entropy": 0.5, "agreement": {}},
    ]
    found = reporting.attention(rows, ["none", "a", "b"])
    assert found.lines == [["a", "1.50", "75", "35"], ["b", "0.50", "-", "-"]]
    assert found.header == ["arm", "entropy, bits", "between seeds, %", "between heads, %"]
    assert found.title == "Attention" and found.note.startswith("The entropy of the attention")


def test_the_table_of_cost_is_of_one_seed():
    rows = arm_rows("a", "low", validation=(10.0, 20.0))
    rows[1]["parameters"] = 1
    found = reporting.cost(rows, ["a"], BLEU)
    assert found.lines == [["a", "12,345", "2.3", "3", "+2.00"]]
    assert found.header == ["arm", "parameters", "TFLOP per seed", "MiB", "last tenth, BLEU"]
    assert found.title == "Cost" and "change of validation BLEU over" in found.note


def claim(**fields):
    return {
        "sentence": "A.",
        "number": "n",
        "estimate": 1.2345,
        "low": -0.5,
        "high": 3.0,
        "claimed": "more than 0",
        "verdict": "HOLDS",
        **fields,
    }


def study(tmp_path, **fields):
    return study_of(
        config_of(arms={"none": {}, "some": {"training.dropout": 0.1}}, **fields), tmp_path
    )


def test_claims_are_read_where_they_have_been_decided(tmp_path):
    one = study(tmp_path)
    assert reporting.claims(one) == []
    path = tmp_path / "claims.jsonl"
    path.write_text("", encoding="utf-8")
    assert reporting.claims(one) == []
    lines = [claim(), claim(early=True, verdict="FAILS")]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (found,) = reporting.claims(one)
    assert found.lines == [
        ["A.", "n", "1.23 [-0.5, 3]", "more than 0", "HOLDS"],
        ["A.", "n", "1.23 [-0.5, 3]", "more than 0", "FAILS, EARLY"],
    ]


def whole_rows(arms=("none", "some"), **more):
    example = {
        "source": ["le", "chat"],
        "target": ["the", "cat"],
        "weights": [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]],
        "links": [[0, 0], [1, 1]],
    }
    texts = [f"the cat number {n} sat on the mat" for n in range(SENTENCES)]
    rows = []
    for arm, level in zip(arms, ("low", "high"), strict=True):
        for row in arm_rows(arm, level, seeds=2, **more):
            row |= {
                "version": VERSION,
                "data": {},
                "sentences": 1234,
                "search": {"beam": 4},
                "hypotheses": texts,
                "references": texts,
            }
            rows.append({**row, "example": example} if arm == "some" else row)
    return rows


def written(tmp_path, rows, **fields):
    """The report of a study with these rows, and what it tells before it writes."""
    one, messages = study(tmp_path, **fields), []
    for group in one.groups:
        group.folder.mkdir(parents=True)
        mine = [row for row in rows if row["arm"] in [arm.name for arm in group.arms]]
        group.results.write_text("".join(json.dumps(row) + "\n" for row in mine), encoding="utf-8")
    return reporting.write(one, messages.append), messages


def test_a_report_is_written_and_its_main_tables_reported_first(tmp_path):
    rows = whole_rows(skipped=3, frozen=False, refused=2)
    where, (message,) = written(tmp_path, rows)
    assert where == f"\nreport   {tmp_path / 'report.html'} (and report.md, figures/)"
    arms, metrics = ["none", "some"], study(tmp_path).metrics
    main = [
        reporting.scores(rows, arms, metrics),
        reporting.differences(rows, arms, METRICS, metrics[0]),
    ]
    notes = [summary.skipped(rows), summary.refused(rows)]
    parts = [*(tables.grid(one.header, one.lines) for one in main), *notes]
    assert message == "\n" + "\n\n".join(parts)
    lines = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert list(map(json.loads, lines)) == json.loads(json.dumps(rows))
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert reporting.write(study(tmp_path)) == where  # in silence, and over what is there
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == report
    titles = [line for line in report.splitlines() if line.startswith("#")]
    assert titles == [
        *("# tiny", "## Arms", "## Differences", "## By length", "## By frequency", "## Cost"),
    ]
    assert report.endswith(f"{reporting.NOTE} {reporting.EARLY_NOTE}\n")
    subtitle = report.split("\n\n")[1]
    assert subtitle.startswith(
        "2 arms, 2 seeds; 12,000 target tokens each, files, 1,234 test examples, beam 4. BLEU: "
        "nrefs:1|tok:13a."
    )
    assert subtitle.endswith(" ".join(notes)) and "was the best" not in subtitle
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == ["by_frequency.svg", "learning.svg", "quality_against_cost.svg"]
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count('class="map"') == 1 and html.index("<h2>Differences") < html.index(
        "<h2>Figures"
    )


def test_a_report_says_early_where_an_arm_still_learns(tmp_path):
    rows = whole_rows(validation=(0.0,) * 9 + (99.0,))
    _, (message,) = written(tmp_path, rows)
    assert message.endswith(f"\n\n{reporting.EARLY_NOTE}") and "EARLY |" in message


def test_an_arm_that_has_not_finished_is_left_out_and_one_arm_has_no_differences(tmp_path):
    tuning = {**config_of()["tuning"], "candidates": [0.01, 0.1], "tokens": 5000}
    rows = [row for row in whole_rows() if row["arm"] == "some"]
    one = study_of(
        config_of(
            arms={"none": {"model.decoder.kind": "fixed"}, "some": {}}, seeds=[0, 1], tuning=tuning
        ),
        tmp_path,
    )
    one.groups[1].folder.mkdir(parents=True)
    one.groups[1].results.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    messages = []
    reporting.write(one, messages.append)
    assert messages[0].count("| some") == 1 and "none" not in messages[0]
    assert "some - none" not in messages[0] and messages[0].count("\n\n") == 0
    subtitle = summary.subtitle(one, rows)
    assert subtitle.startswith("2 arms, not finished, 2 seeds; ")
    assert "chosen on validation" not in subtitle  # no trial has run
    for group in study_of(tuning_trials(one.config), tmp_path / "tuning").groups:
        group.folder.mkdir(parents=True)
        group.results.write_text("", encoding="utf-8")
    assert summary.subtitle(one, rows).endswith(
        " For each arm, training.learning_rate was chosen on validation from 0.01, 0.1, 5,000 target tokens each, "
        "41.7 % of the budget and of the warm-up (4 updates); the chosen values are none: 0.02, some: 0.02."
    )


def test_figures_show_points_with_their_intervals(monkeypatch):
    rows = arm_rows("a", "low", long=(0, 1)) + arm_rows("b", "high")
    drawn = {}

    def draw(curves, **words):
        drawn[words["x"]] = (dict(curves), words)

    monkeypatch.setattr(figures.curves, "lines", draw)
    monkeypatch.setattr(figures.curves, "points", draw)
    found = figures.figures(rows, ["a", "b"], BLEU)
    assert list(found) == ["By length", "By frequency", "Learning", "Quality against cost"]
    lengths, words = drawn["source words"]
    points = findings.by_length(rows, "a", BLEU)
    assert lengths["a"] == Curve(
        *[tuple(getattr(p, part) for p in points) for part in ("number", "score", "low", "high")]
    )
    assert len(lengths["b"].x) == 1 and words["y"] == "BLEU" and words["ticks"][0] == "1-10"
    frequency, words = drawn["occurrences of the word in the training data"]
    assert frequency["a"].x == (1,) and words["ticks"][1] == "1-9"
    learning, _ = drawn["target tokens in training"]
    assert learning["a"] == Curve((50.0, 100.0), *[(50.0, 50.0)] * 3)
    cost, words = drawn["training of one seed  [TFLOP]"]
    score = findings.score(rows, "a", BLEU)
    assert cost["a"] == Curve([2.34], [score.score], [score.low], [score.high])
    assert set(cost) == {"a", "b"} and words["y"] == "BLEU"
    plain = arm_rows("b", "high", validation=(5.0,))
    for row in plain:
        row["statistics"]["test"].pop("frequency")
    assert list(figures.figures(plain, ["b"], BLEU)) == ["Quality against cost"]


def test_a_page_has_the_main_tables_the_figures_and_then_the_rest():
    lines = [["a - b", "higher"], ["b - a", "lower, EARLY"], ["c - a", "not significant"]]
    each = [Table(f"Table {n}", f"Note {n}.", ["what", "conclusion"], lines) for n in range(3)]
    weights = [[0.0, 0.004], [0.005, 0.5], [0.51, 1.0], [-0.5, 2.0]]
    example = {"source": ["le"], "target": list("abcd"), "weights": weights, "links": [[0, 2]]}
    text = page.page("T", "S", each, {"F": "<svg></svg>"}, {"a": example, "b": None}, "The note.")
    places = [
        text.index(what)
        for what in ("<h1>T", "S</p>", "Table 0", "Note 1.", "The note.", "<h2>Figures", "<svg>")
    ]
    places += [text.index(what) for what in ("One example", "Table 2")]
    assert places == sorted(places)
    assert text.count('<tr class="higher">') == 3 == text.count('<tr class="lower">')
    cells = [cell.split(">")[1].split("<")[0] for cell in text.split("<td")[1:] if "rgb" in cell]
    assert cells == ["", "", "0", "50", "51", "100", "", "200"]
    assert "background:rgb(255,255,255);color:#1b2a41" in page._cell(0.0, False)
    assert "background:rgb(8,48,107);color:#fff" in page._cell(1.0, False)
    assert "background:rgb(132,152,181);color:#1b2a41" in page._cell(0.5, False)
    assert page._cell(0.51, True).startswith('<td class="linked" style') and "#fff" in page._cell(
        0.51, False
    )
    (row,) = [part for part in text.split("<tr>") if part.startswith('<th scope="row">c')]
    assert row.count("linked") == 1 and row.index("linked") < row.index("51")
    assert "One example" not in page.page("T", "S", each, {}, {"b": None}, "N")
    assert text.count("<figure>") == 2
