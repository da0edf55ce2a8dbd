"""What every study starts from, as plain data, with the meaning of each field."""

from typing import Any

from attention_lab.runs import defaults

# The fields by which a recurrent model is made larger or smaller.
WIDTHS = ("model.encoder.features", "model.decoder.hidden")


def study() -> dict[str, Any]:
    """A study of nothing yet; see `studies.study.study_of`."""
    return {
        "name": "study",  # of the folder in runs/studies/ that takes the results
        "base": defaults.translation(),  # what all arms have in common
        "arms": {},  # name -> {field of base: its value in this arm}
        "axes": {},  # field of base -> values: the full grid
        "seeds": (0, 1, 2, 3, 4),  # every arm is trained with each
        # What arms have equally much of: "tokens" (of another tokenizer, as many as make equally many words), "updates",
        # "flops" or "parameters". Of the last, these fields of an arm are set to the same multiple of step.
        "budget": {"equal": "tokens", "fields": WIDTHS, "step": 16},
        # A number that is chosen for each arm on validation examples; no values: none is.
        "tuning": {
            "field": "training.learning_rate",
            "candidates": (),
            "tokens": 200_000,  # of a trial of the first arm: all have this share of their budget and warm-up
            "seeds": (100,),
        },
        "also": (),  # splits that are translated beside the test set
    }
