"""Batches made while the device computes, and how long it waited for them all the same."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from attention_lab.training.loop import Batches

DEPTH = 2  # batches that each worker may be ahead


class Prefetch:
    """The same batches, the next ones of which threads prepare.

    workers: how many threads; with 0 a batch is made when it is asked for. transfer: what is done with a batch there
    and then, such as its transfer to a device. Which batch is which, no worker can change: they are numbered.
    """

    def __init__(
        self,
        batches: Batches,
        workers: int,
        updates: int,
        transfer: Callable[[Any], Any] = lambda batch: batch,
    ) -> None:
        self.batches, self.transfer, self.updates = batches, transfer, updates
        self.depth = DEPTH * workers
        self.pool = ThreadPoolExecutor(workers, "batches") if workers else None
        self.pending: dict[int, Future[Any]] = {}
        self.waited = 0.0  # seconds in all

    def __getitem__(self, number: int) -> Any:
        started = time.perf_counter()
        try:
            if self.pool is None:
                return self._make(number)
            # Behind what is asked for there may be some left of before; of them nobody will ask.
            self.pending = {n: future for n, future in self.pending.items() if n >= number}
            for wanted in range(number, min(number + self.depth + 1, self.updates)):
                if wanted not in self.pending:
                    self.pending[wanted] = self.pool.submit(self._make, wanted)
            return self.pending.pop(number).result()
        finally:
            self.waited += time.perf_counter() - started

    def _make(self, number):
        return self.transfer(self.batches[number])
