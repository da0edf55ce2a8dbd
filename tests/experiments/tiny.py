"""A config for tests: parallel files, whose options are fields."""

from ml_collections import ConfigDict

from configs import defaults


def get_config(which="one_file"):
    config = defaults.translation()
    if which == "transformer":
        config.model = defaults.transformer()
    config.showcase = ("my ann sees my bob",)
    fields = ("path",) if which != "two_files" else ("source", "target")
    config.data.name = "files"
    config.data.options = ConfigDict(dict.fromkeys(fields, ""))
    return config
