"""The rows of a study's results, read from the folders of its groups and checked: version, whose they are, of what data."""

import json

from attention_lab import runs
from attention_lab.studies.rows import VERSION, Row
from attention_lab.studies.study import Study


def rows_of(study: Study) -> list[Row]:
    """The results of all that has finished, arm by arm and seed by seed.

    Raises ValueError where a file of them is damaged, of another version or of another study, and where they are not
    all of the same data.
    """
    rows = []
    known: dict[str, tuple[str, str]] = {}  # of a set of examples: digest, and a group that has it
    for group in study.groups:
        if group.results.is_file():
            group_rows = _rows_of(group)
            rows += group_rows
            for data in (_origin_data(group), *(row["data"] for row in group_rows)):
                for split, digest in data.items():
                    examples = _set_of(group, split)
                    first, whose = known.setdefault(examples, (digest, group.name))
                    if digest != first:
                        raise ValueError(
                            f"{group.results} is of other examples of the split {split} than the results of "
                            f"{whose}, so that they cannot be compared; restore the data, remove the "
                            "group whose results are of others, and run the study's command again"
                        )
    order = {arm.name: number for number, arm in enumerate(study.arms)}
    return sorted(rows, key=lambda row: (order[row["arm"]], study.seeds.index(row["seed"])))


def _rows_of(group):
    """The rows of a group that has finished."""
    try:
        lines = group.results.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        versions = {row.get("version") for row in rows}
        whose = [(row["arm"], row["seed"]) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{group.results} is damaged ({error}); remove it, and the study makes it again"
        ) from error
    for version in versions - {VERSION}:
        raise ValueError(
            f"{group.results} has rows of version {version or 'older than 1'}, and this program reads {VERSION}; "
            "use that version of it, or run the study again in another folder: --workdir"
        )
    if whose != [(one.arm.name, one.seed) for one in group.replicas]:
        raise ValueError(
            f"{group.results} has not the rows of {group.name}; remove it, and the study makes it again"
        )
    return rows


def _set_of(group, split):
    """Arms are judged on the same examples; what they are trained on may be what is compared."""
    config = group.arms[0].config["data"]
    if split == config["test"]:
        return "test set"
    return split if split in group.also else f"{split} of {config}"


def _origin_data(group):
    origin = runs.origin_of(group.folder)
    return origin.data if origin else {}
