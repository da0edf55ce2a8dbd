"""SciTLDR-A from scratch and after denoising its own abstracts: two arms with three seeds each.

    python -m experiments.ablate --config=configs/ablations/scitldr_denoising.py
    python -m experiments.ablate --config=configs/ablations/scitldr.py

Set --config.base.data.options.path of both to the folder of {train,dev,test}.jsonl.
"""

from configs import defaults, scitldr

DENOISED = "runs/studies/scitldr_denoising/groups/denoising/denoising_seed_{seed}"


def get_config():
    config = defaults.study()
    config.name = "scitldr"
    config.base = scitldr.get_config("scratch")
    config.arms = {"scratch": {}, "denoised": {"initialize_from": DENOISED}}
    config.seeds = (0, 1, 2)
    return config
