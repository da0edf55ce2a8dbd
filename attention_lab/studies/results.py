"""Reads the rows of a study's results from the folders of its groups; checks their version, arms, seeds and data."""

import json

from attention_lab import runs
from attention_lab.studies.rows import VERSION, Row
from attention_lab.studies.study import Study


def rows_of(study: Study) -> list[Row]:
    """Returns the rows of all finished groups, sorted by arm and seed.

    Raises ValueError if a file of results is damaged, of another version or of another study, or if they were not all
    evaluated on the same data.
    """
    rows = []
    known: dict[
        str, tuple[str, str]
    ] = {}  # set of examples -> its digest, and the first group that has it
    for group in study.groups:
        if group.results.is_file():
            group_rows = _rows_of(group)
            rows += group_rows
            for data in (_origin_data(group), *(row["data"] for row in group_rows)):
                for split, digest in data.items():
                    examples = _set_of(group, split)
                    first, first_group = known.setdefault(examples, (digest, group.name))
                    if digest != first:
                        raise ValueError(
                            f"{group.results} is of other examples of the split {split} than the results of "
                            f"{first_group}, so they cannot be compared; restore the data, remove the group whose "
                            "results are of other examples, and run the study's command again"
                        )
    order = {arm.name: number for number, arm in enumerate(study.arms)}
    return sorted(rows, key=lambda row: (order[row["arm"]], study.seeds.index(row["seed"])))


def _rows_of(group):
    """Returns the rows of a finished group. Raises ValueError if they are not valid."""
    try:
        lines = group.results.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        versions = {row.get("version") for row in rows}
        replicas = [(row["arm"], row["seed"]) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{group.results} is damaged ({error}); remove it and run the study's command again"
        ) from error
    for version in versions - {VERSION}:
        raise ValueError(
            f"{group.results} has rows of version {version or 'older than 1'}, and this program reads {VERSION}; "
            "use that version of the program, or run the study again in another folder: --workdir"
        )
    if replicas != [(replica.arm.name, replica.seed) for replica in group.replicas]:
        raise ValueError(
            f"{group.results} does not have the rows of {group.name}; remove it and run the study's command again"
        )
    return rows


def _set_of(group, split):
    """Returns the name of a set of examples. Arms have the same test set, but may have different training data."""
    config = group.arms[0].config["data"]
    if split == config["test"]:
        return "test set"
    return split if split in group.also else f"{split} of {config}"


def _origin_data(group):
    origin = runs.origin_of(group.folder)
    return origin.data if origin else {}
