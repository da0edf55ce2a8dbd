"""PyTorch's attention as programs. This module is imported only if torch is installed and measured."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import numpy as np

from attention_lab.benchmarks.cases import Case

# By default, idle OpenMP threads would spin while the next program is measured.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import torch.nn.functional as F
from torch.nn.attention import flex_attention as flexible


def sdpa(case: Case, *arrays: jax.Array) -> Callable[[], Any]:
    """Returns a program for `scaled_dot_product_attention` of q, k, v and a cotangent, each [H, L, D]."""

    def attend(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=case.causal, scale=1.0)

    return _program(case, attend, arrays)


def flex(case: Case, *arrays: jax.Array) -> Callable[[], Any]:
    """Returns a program for the compiled `flex_attention`; the block mask of causal attention is built beforehand."""
    mask = None
    if case.causal:
        mask = flexible.create_block_mask(
            lambda b, h, i, j: j <= i, None, None, case.length, case.length, device=_device()
        )

    def attend(q, k, v):
        return _compiled_flex()(q, k, v, block_mask=mask, scale=1.0)

    return _program(case, attend, arrays)


@cache
def _compiled_flex() -> Callable:
    return torch.compile(flexible.flex_attention, dynamic=False)


def _program(case: Case, attend: Callable, arrays: tuple[jax.Array, ...]) -> Callable[[], Any]:
    q, k, v, cotangent = (torch.tensor(np.asarray(x)[None], device=_device()) for x in arrays)

    def forward():
        with torch.no_grad():
            out = attend(q, k, v)
        _wait()
        return out

    def both():
        out = attend(q, k, v)
        gradients = torch.autograd.grad(out, (q, k, v), cotangent)
        _wait()
        return out, gradients

    if case.direction == "forward":
        return forward
    for x in (q, k, v):
        x.requires_grad_()
    return both


def _device() -> str:
    """Returns the kind of device that JAX uses."""
    on_gpu = jax.default_backend() == "gpu" and torch.cuda.is_available()
    return "cuda" if on_gpu else "cpu"


def _wait() -> None:
    if _device() == "cuda":
        torch.cuda.synchronize()
