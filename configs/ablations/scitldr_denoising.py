"""BART's noise on the abstracts of SciTLDR-A, three seeds, with which `scitldr.py` then starts.

python -m experiments.ablate --config=configs/ablations/scitldr_denoising.py
"""

from configs import defaults, scitldr


def get_config():
    config = defaults.study()
    config.name = "scitldr_denoising"
    config.base = scitldr.get_config("denoising")
    config.arms = {"denoising": {}}
    config.seeds = (0, 1, 2)
    return config
