"""What attention costs: every score, blockwise and dense, beside the attention of other libraries.

    python -m experiments.benchmark --config=configs/benchmarks/mechanism.py          # all of it
    python -m experiments.benchmark --config=configs/benchmarks/mechanism.py:small    # a smoke test

Time to expect on a CPU with 2 cores: 7 minutes; `small` ends within 20 seconds.

What to expect. Milliseconds grow with the square of the length everywhere. Temporaries grow with
the square in `dense`, `fused`, jax and flax, and with the length itself in `blockwise`. Scores with
an inner product run at a share of the matrix product's rate. Additive and concat are held against
tanh's, which dense evaluates for each pair and feature, and blockwise on a CPU, having other means, outruns.

A group's cases of one length, direction and mask are measured in turns, so that what is compared
met the same machine. Every field can be set in the command, such as
--config.groups.dot.lengths="(512,1024)".
"""

import os

from ml_collections import ConfigDict

BOTH = ("forward", "forward+backward")
DOT_FAMILY = ("dot", "scaled_dot", "general", "location", "cosine")
ALL = (*DOT_FAMILY, "additive", "concat", "distance")
OTHERS = ("jax", "flax", "torch", "flex", "tokamax")


def get_config(variant: str = "") -> ConfigDict:
    """The whole benchmark, or its `small` variant."""
    if variant not in ("", "small"):
        raise ValueError(f"there is no variant {variant!r}; write :small, or nothing for the whole")
    config = ConfigDict()
    config.groups = small() if variant else whole()
    config.heads = 1 if variant else 4  # H
    config.features = 32 if variant else 64  # D, of one head's queries, keys and values
    config.hidden = 16 if variant else 64  # A, what additive and concat compare in
    config.memory_limit_mib = half_of_memory()  # what needs more temporaries is not run
    config.seed = 0
    return config


def half_of_memory():
    """MiB: half of what the machine has, and not more than 8192."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return min(installed // 2, 8192)


def group(
    scores, implementations, lengths, repetitions, baselines=(), directions=BOTH, causal=(False,)
):
    """All combinations of these. baselines: dot by other libraries. repetitions: calls a median."""
    return ConfigDict(
        {
            "scores": scores,
            "implementations": implementations,
            "baselines": baselines,
            "lengths": lengths,
            "directions": directions,
            "causal": causal,
            "repetitions": repetitions,
        }
    )


def whole():
    """Growth with the length for two scores; every score at one length; the causal mask."""
    growth = (512, 1024, 2048, 4096, 8192)
    return ConfigDict(
        {
            "dot": group(("dot",), ("dense", "blockwise", "fused"), growth, 3, OTHERS),
            "additive": group(("additive",), ("dense", "blockwise"), growth[:2], 5),
            "additive_long": group(("additive",), ("blockwise",), growth[2:], 3),
            "every_score": group(ALL, ("blockwise",), (1024,), 5),
            "causal": group(
                ("dot", "additive"), ("blockwise",), (2048,), 5, OTHERS, causal=(False, True)
            ),
        }
    )


def small():
    """A little of everything."""
    both = ("forward+backward",)
    return ConfigDict(
        {
            "dot": group(
                ("dot",), ("dense", "blockwise"), (512, 1024, 2048), 2, ("jax",), directions=both
            ),
            "additive": group(("additive",), ("blockwise",), (256, 512), 2, directions=both),
            "causal": group(
                ("distance",), ("blockwise",), (256,), 2, directions=both, causal=(True,)
            ),
        }
    )
