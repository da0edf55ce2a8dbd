"""The time and memory of attention: every score, blockwise and dense, compared with the attention of other libraries.

    python -m experiments.benchmark --config=configs/benchmarks/mechanism.py          # all groups
    python -m experiments.benchmark --config=configs/benchmarks/mechanism.py:small    # a smoke test

On a CPU with 2 cores the benchmark takes 7 minutes, and `small` 20 seconds.

Expected results: Time grows with the square of the length in all implementations. Temporary memory grows with the
square of the length in `dense`, `fused`, jax and flax, and linearly in `blockwise`. Scores with an inner product reach
a fraction of the rate of a matrix product. Additive and concat are compared with the rate of tanh: dense evaluates a
tanh for each pair and feature, while blockwise on a CPU needs none and may be faster than that rate.

The cases of a group with the same length, direction and mask are measured in alternation, so that a change of the
machine's speed affects all of them. Every field can be set on the command line, such as
--config.groups.dot.lengths="(512,1024)".
"""

import os

from ml_collections import ConfigDict

BOTH = ("forward", "forward+backward")
DOT_FAMILY = ("dot", "scaled_dot", "general", "location", "cosine")
ALL = (*DOT_FAMILY, "additive", "concat", "distance")
OTHERS = ("jax", "flax", "torch", "flex", "tokamax")


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the whole benchmark, or of its `small` variant."""
    if variant not in ("", "small"):
        raise ValueError(f"there is no variant {variant!r}; write :small, or nothing for the whole")
    config = ConfigDict()
    config.groups = small() if variant else whole()
    config.heads = 1 if variant else 4  # H
    config.features = 32 if variant else 64  # D, of one head's queries, keys and values
    config.hidden = 16 if variant else 64  # A, the attention features of additive and concat
    config.memory_limit_mib = half_of_memory()  # a case with more temporary memory is skipped
    config.seed = 0
    return config


def half_of_memory():
    """Returns half of the machine's memory in MiB, but at most 8192."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return min(installed // 2, 8192)


def group(
    scores, implementations, lengths, repetitions, baselines=(), directions=BOTH, causal=(False,)
):
    """Returns a group of all combinations of its fields.

    baselines: other libraries, which compute dot. repetitions: the number of calls of which the median is taken.
    """
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
    """Returns the groups: two scores by length, every score at one length, and the causal mask."""
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
    """Returns small groups for a smoke test."""
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
