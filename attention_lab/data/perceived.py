"""Training examples whose sources are not texts, such as images: read when a batch needs them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data.readers import Reader
from attention_lab.data.rows import Row
from attention_lab.data.vocabularies import Codec


class Perceived(NamedTuple):
    """Sources with the ids of their targets, each ending in END, and the number of those left out, by reason."""

    reader: Reader
    sources: Sequence[Any]
    sizes: np.ndarray  # [N] the positions of each source, along its longer axis
    target: Sequence[np.ndarray]  # int32 [T] each
    left_out: dict[str, int]

    @property
    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """The number of positions of each source along its longer axis, and of ids of each target."""
        return self.sizes, np.array([len(ids) for ids in self.target], int)

    def epoch(self, seed: int, number: int, /) -> Callable[[int], Row]:
        """Returns the function from the index of an example to its row, which is the same in every epoch."""
        del seed, number

        def row(index):
            (source,) = self.reader.arrays([self.sources[index]])
            return Row(source, self.target[index])

        return row


def perceived(codec: Codec, examples: Sequence[dict[str, Any]], max_length: int) -> Perceived:
    """Encodes the targets of examples; those that are blank or have more than max_length tokens are left out and counted."""
    targets = codec.target.arrays(example["target"] for example in examples)
    blank = [len(ids) == 1 for ids in targets]
    long = [len(ids) > max_length for ids in targets]
    kept = [i for i, (b, s) in enumerate(zip(blank, long, strict=True)) if not (b or s)]
    sources = [examples[i]["source"] for i in kept]
    return Perceived(
        codec.source,
        sources,
        codec.source.sizes(sources),
        [targets[i] for i in kept],
        {"a blank target": sum(blank), f"more than {max_length} tokens": sum(long)},
    )
