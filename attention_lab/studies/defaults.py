"""The default config of a study, as plain data, with the meaning of each field."""

from typing import Any

from attention_lab.runs import defaults

# The fields that determine the size of a recurrent model.
WIDTHS = ("model.encoder.features", "model.decoder.hidden")


def study() -> dict[str, Any]:
    """Returns the config of a study without arms; see `studies.study.study_of`."""
    return {
        "name": "study",  # the name of the folder of results in runs/studies/
        "base": defaults.translation(),  # the config that all arms share
        "arms": {},  # name -> {field of base: value in this arm}
        "axes": {},  # field of base -> values; an arm for each combination
        "seeds": (0, 1, 2, 3, 4),  # every arm is trained with each seed
        # The quantity that is equal in all arms: "tokens" (with another tokenizer, the number of words), "updates",
        # "flops" or "parameters". For "parameters", the fields of an arm are set to the same multiple of step.
        "budget": {"equal": "tokens", "fields": WIDTHS, "step": 16},
        # A hyperparameter that is chosen for each arm on validation examples; without candidates, none is tuned.
        "tuning": {
            "field": "training.learning_rate",
            "candidates": (),
            "tokens": 200_000,  # of a trial of the first arm; trials of other arms have the same fraction of their budget and warm-up
            "seeds": (100,),
        },
        "also": (),  # splits that are translated in addition to the test set
        "lengths": (),  # the least number of words of each class of lengths in the report, by default 1, 11, .., 51
    }
