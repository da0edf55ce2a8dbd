"""The study that decides the claims about speech: eight arms that transcribe spoken digits, with three seeds each.

    python -m experiments.claims --config=configs/claims/digits.py --config.base.data.options.path=data/speech

They are trained on strings of at most five digits, and tested also on strings of 6 to 20, from other recordings of the
same speakers (Chorowski et al. 2015, section 3.3, join recordings likewise).
"""

from configs import defaults, digits

FEEDBACK, NORMALIZE = "model.decoder.attention.feedback", "model.decoder.attention.normalize"


def get_config():
    config = defaults.study()
    config.name = "claims_digits"
    config.base = digits.get_config()
    config.base.data.options.longest = 5
    config.base.training.tokens = 200_000
    config.also = ("test_long",)
    config.lengths = (1, 6, 11, 16)
    config.arms = {
        "content": {},
        "location": {FEEDBACK: "location_aware"},
        "smoothing": {NORMALIZE: "smoothing"},
        "location and smoothing": {FEEDBACK: "location_aware", NORMALIZE: "smoothing"},
        # A state is 80 ms, so that the window is 1.2 s to either side.
        "windowed location": {FEEDBACK: "windowed(15, location_aware)"},
        "no attention": {"model.decoder.kind": "fixed"},
        "SpecAugment": {
            "data.augment.frequency_masks": 2,
            "data.augment.time_masks": 2,
        },
        "sampled inputs": {"training.sampled_inputs": 0.1},
    }
    config.seeds = (0, 1, 2)
    return config
