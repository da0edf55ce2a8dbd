"""The curves of a study's report."""

from collections.abc import Callable, Sequence

from attention_lab.evaluation import diagnostics
from attention_lab.evaluation.metrics import Metric
from attention_lab.studies import findings
from attention_lab.studies.findings import Point
from attention_lab.studies.rows import Row
from attention_lab.views import curves
from attention_lab.views.curves import Curve


def figures(
    rows: Sequence[Row],
    arms: Sequence[str],
    metric: Metric,
    classes_of_lengths: Sequence[int] = diagnostics.LENGTHS,
) -> dict[str, curves.Figure]:
    """Returns the figures of the study's main metric by title; a figure without data is left out.

    classes_of_lengths: the least length of each class.
    """

    def by_arm(points: Callable[[str], Sequence[Point]]) -> dict[str, Curve]:
        of = {arm: [(p.number, p.score, p.low, p.high) for p in points(arm)] for arm in arms}
        return {arm: Curve(*zip(*known, strict=True)) for arm, known in of.items() if known}

    built = {}
    lengths = by_arm(lambda arm: findings.by_length(rows, arm, metric, classes_of_lengths))
    if any(len(line.x) > 1 for line in lengths.values()):
        built["By length"] = curves.lines(
            lengths,
            x="source words",
            y=metric.title,
            ticks=diagnostics.length_names(classes_of_lengths),
        )
    classes = len(diagnostics.FREQUENCIES)
    frequency = by_arm(lambda arm: findings.by_class(rows, arm, "frequency", classes))
    if frequency:
        built["By frequency"] = curves.lines(
            frequency,
            x="occurrences of the word in the training data",
            y="correct words  [%]",
            ticks=diagnostics.FREQUENCY_NAMES,
        )
    learning = {arm: findings.learning(rows, arm, metric) for arm in arms}
    if any(len(points) > 1 for points in learning.values()):
        built["Learning"] = curves.lines(
            {arm: Curve(*zip(*points, strict=True)) for arm, points in learning.items() if points},
            x="target tokens in training",
            y=f"validation {metric.title}, greedy, all seeds",
        )
    cost = {}
    for arm in arms:
        score = findings.score(rows, arm, metric)
        if score is not None:
            flops = findings.of_arm(rows, arm)[0]["flops"] / 1e12
            cost[arm] = Curve([flops], [score.score], [score.low], [score.high])
    built["Quality against cost"] = curves.points(
        cost, x="training of one seed  [TFLOP]", y=metric.title
    )
    return built
