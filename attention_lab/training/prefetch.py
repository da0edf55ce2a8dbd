"""Prefetches batches in background threads, and measures the time spent waiting for them."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from attention_lab.training.loop import Batches

DEPTH = 2  # batches that are prefetched for each worker


class Prefetch:
    """The same batches; threads prepare the next ones in advance.

    workers: the number of threads; with 0 a batch is made when it is requested. updates: the number of batches.
    transfer: a function that the threads apply to a batch, such as its transfer to a device. waited: the seconds spent
    waiting so far. The order of batches does not depend on the threads, since batches are numbered.
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
        self.waited = 0.0

    def __getitem__(self, number: int) -> Any:
        started = time.perf_counter()
        try:
            if self.pool is None:
                return self._make(number)
            # Earlier batches that are still pending are obsolete.
            self.pending = {n: future for n, future in self.pending.items() if n >= number}
            for n in range(number, min(number + self.depth + 1, self.updates)):
                if n not in self.pending:
                    self.pending[n] = self.pool.submit(self._make, n)
            return self.pending.pop(number).result()
        finally:
            self.waited += time.perf_counter() - started

    def _make(self, number):
        return self.transfer(self.batches[number])
