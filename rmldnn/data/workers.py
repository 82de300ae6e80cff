"""Worker processes that read batches ahead of their use."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeAlias

import cv2
import torch

from rmldnn.data.sets import Dataset, Gathered, Request
from rmldnn.errors import DataError

_Answer: TypeAlias = tuple[torch.Tensor, torch.Tensor | None] | DataError
"""Tensors, as they go from process to process in shared memory; an error as a value comes without a traceback."""

_AHEAD = 2
"""Batches that every process may be ahead."""


class Workers:
    """Processes that stay for all epochs, and are started when first needed.

    This is a pool of the standard library rather than torch's `DataLoader`: a process that dies is noticed at once and
    where its answer is wanted, no signal handler is replaced, and no number drawn from the generator of the run.

    Args:
        dataset: What they read.
        count: How many there are.
    """

    def __init__(self, dataset: Dataset, count: int) -> None:
        self.count = count
        self._pool = ProcessPoolExecutor(count, multiprocessing.get_context("fork"), _start, (dataset,))

    def gather(self, requests: Iterator[Request]) -> Iterator[tuple[Request, Gathered]]:
        """Lets the processes read what is wanted; answers come in the order of the requests.

        Raises:
            DataError: As `Dataset.gather` says, or a process died.
        """
        pending: deque[tuple[Request, Future[_Answer]]] = deque()
        try:
            for request in requests:
                pending.append((request, self._submit(request)))
                if len(pending) > self.count * _AHEAD:
                    yield _received(*pending.popleft())
            while pending:
                yield _received(*pending.popleft())
        except BrokenProcessPool as error:
            raise DataError(
                "a process that reads samples died; if memory ran out, or shared memory (/dev/shm), a smaller batch "
                "size or `data.num_workers` needs less; `data.num_workers` 0 reads without further processes"
            ) from error
        finally:
            for _, future in pending:
                future.cancel()

    def _submit(self, request: Request) -> Future[_Answer]:
        with warnings.catch_warnings():  # the first request starts the processes, beside the threads of torch
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            return self._pool.submit(_gather, request)


def _received(request: Request, future: Future[_Answer]) -> tuple[Request, Gathered]:
    answer = future.result()
    if isinstance(answer, DataError):
        raise answer
    inputs, targets = answer
    return request, Gathered(inputs.numpy(), None if targets is None else targets.numpy())


_dataset: Dataset
"""What a worker process reads; it has it from its parent, without a copy."""


def _start(dataset: Dataset) -> None:
    global _dataset  # the only way from the start of a process to its tasks
    _dataset = dataset
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends the pool
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _gather(request: Request) -> _Answer:
    try:
        inputs, targets = _dataset.gather(request)
    except DataError as error:
        return error
    return torch.from_numpy(inputs), None if targets is None else torch.from_numpy(targets)
