"""A config for tests: parallel files, whose options are fields."""

from ml_collections import ConfigDict

from configs import defaults


def get_config(which="one_file"):
    config = defaults.translation()
    config.showcase = ("my ann sees my bob",)
    fields = ("path",) if which == "one_file" else ("source", "target")
    config.data.name = "files"
    config.data.options = ConfigDict(dict.fromkeys(fields, ""))
    return config
