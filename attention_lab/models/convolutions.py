"""Convolutions over frames and images: each is one matrix product with windows, as a Transformer's patches are.

    y_i = a(W [x_is−p; ..; x_is−p+k−1] + b),   p = (k − s) / 2        kernel k, stride s, along each axis of positions

A window that is as wide as the stride is a patch. Windows are centred on the s positions that they replace, so that an
output's place in the image is known. Positions that do not exist count as 0, and padding therefore changes nothing.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from attention_lab.mechanism.contracts import Array, affine
from attention_lab.models.base import Dropout, look_up
from attention_lab.padded import Padded


def windows(x: Padded, kernel: int, stride: int) -> Padded:
    """Returns the windows of x [.., F], one for each `stride` positions along each axis: [.., kernel^axes · F].

    A window exists if the first of the positions that it replaces does.
    """
    axes = x.valid.ndim
    values = jnp.where(x.valid[..., None], x.values, 0)
    low = (kernel - stride) // 2
    sizes = [-(-size // stride) for size in x.valid.shape]
    # The last window along an axis ends at (size - 1) · stride − low + kernel.
    high = [
        max((size - 1) * stride - low + kernel - given, 0)
        for size, given in zip(sizes, x.valid.shape, strict=True)
    ]
    values = jnp.pad(values, [*((low, more) for more in high), (0, 0)])
    parts = []
    for offset in itertools.product(range(kernel), repeat=axes):
        end = [o + (size - 1) * stride + 1 for o, size in zip(offset, sizes, strict=True)]
        whole = [*end, values.shape[-1]]
        parts.append(lax.slice(values, [*offset, 0], whole, [stride] * axes + [1]))
    first = tuple(slice(None, None, stride) for _ in range(axes))
    return Padded(jnp.concatenate(parts, -1), x.valid[first])


class Convolution(nn.Module):
    """a(W window + b) of every window, of frames [K, F] or of an image [Y, X, C]."""

    features: int
    kernel: int
    stride: int
    activation: Callable[[Array], Array] = nn.relu

    @nn.compact
    def __call__(self, x: Padded) -> Padded:
        """x: [.., F] -> [.., D] at ceil(size / stride) positions along each axis."""
        parts = windows(x, self.kernel, self.stride)
        init = nn.initializers.he_normal()
        W = self.param("W", init, (parts.values.shape[-1], self.features))
        b = self.param("b", nn.initializers.zeros, (self.features,))
        outputs = self.activation(affine(parts.values.reshape(-1, len(W)), W, b))
        shape = (*parts.valid.shape, self.features)
        return parts._replace(values=outputs.astype(x.values.dtype).reshape(shape))


class Convolutions(nn.Module):
    """Convolutions one after the other, each of which reads half as many positions along each axis as the one before.

    features: of each. kernel: the positions that each reads at once, along each axis.
    """

    features: tuple[int, ...]
    kernel: int = 4

    @nn.compact
    def __call__(self, x: Padded, dropout: Dropout) -> Padded:
        """x: [.., F] -> [.., D] at ceil(size / stride) positions along each axis."""
        for number, features in enumerate(self.features):
            x = Convolution(features, self.kernel, 2, name=f"layer_{number}")(x)
            x = x._replace(values=dropout(x.values))
        return x


class Patches(nn.Module):
    """Linear projections of patches of an image, each `stride` x `stride` pixels (Dosovitskiy et al. 2021, §3.1)."""

    features: int
    stride: int

    @nn.compact
    def __call__(self, x: Padded, dropout: Dropout) -> Padded:
        """x: [Y, X, C] -> [ceil(Y / stride), ceil(X / stride), D]."""
        del dropout
        return Convolution(self.features, self.stride, self.stride, lambda y: y, name="project")(x)


class Front(NamedTuple):
    """What an encoder of sequences does to a source that is no text, before its own layers.

    reads: "frames" or "image". stride: the positions of the source, along each axis, that one state replaces.
    make: (features) -> the module of (source, dropout), which returns a sequence or a grid of that many features.
    """

    reads: str
    stride: int
    make: Callable[[int], nn.Module]


def make_front(reads: str, stride: int) -> Front:
    """Returns convolutions over frames that leave one position in `stride`. Raises ValueError if reads is not "frames"."""
    look_up("reads", ("tokens", "frames"), reads)
    count = halvings("stride", stride)
    return Front(reads, stride, lambda features: Convolutions((features,) * count))


def sequence(x: Padded) -> Padded:
    """Returns the cells of a grid [Y, X, D] row by row, [Y · X, D]; a sequence as it is."""
    count = math.prod(x.valid.shape)
    return Padded(x.values.reshape(count, -1), x.valid.reshape(count))


def halvings(name: str, stride: int) -> int:
    """Returns the number of convolutions that reduce positions by `stride`. Raises ValueError if it is no power of two."""
    count = int(stride).bit_length() - 1
    if stride != 2**count or count < 1:
        raise ValueError(f"{name}={stride}: it must be 2, 4, 8 or another power of two")
    return count
