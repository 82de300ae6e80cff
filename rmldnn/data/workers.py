"""Worker processes that read batches ahead of their use."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeAlias

import cv2
import torch

from rmldnn.data.sets import Dataset, Gathered, Request
from rmldnn.errors import DataError

_Answer: TypeAlias = (
    tuple[torch.Tensor, torch.Tensor | None, Sequence[int] | None, Sequence[tuple[int, str]]] | DataError
)
"""Tensors, as they go from process to process in shared memory; an error as a value comes without a traceback."""

_IDLE = -1
_SHOWN = 8
"""Names of samples that a message tells."""
_AHEAD = 2
"""Batches that every process may be ahead."""


class Workers:
    """Processes that stay for all epochs, and are started when first needed.

    This is a pool of the standard library rather than torch's `DataLoader`: a process that dies is noticed at once and
    where its answer is wanted, no signal handler is replaced, and no number drawn from the generator of the run.

    Args:
        dataset: What they read.
        count: How many there are.
        skip_bad: Whether they leave out samples that cannot be read.
    """

    def __init__(self, dataset: Dataset, count: int, *, skip_bad: bool = False) -> None:
        self.count = count
        self._dataset = dataset
        self._skip_bad = skip_bad
        context = multiprocessing.get_context("fork")
        self._busy = context.RawArray("q", [_IDLE] * count)
        turn = context.Value("i", 0)
        self._pool = ProcessPoolExecutor(count, context, _start, (dataset, self._busy, turn))

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
                    yield _received(*pending[0])
                    pending.popleft()
            while pending:
                yield _received(*pending[0])
                pending.popleft()
        except BrokenProcessPool as error:
            raise DataError(
                f"a process that reads samples died{self._held(pending)}; if memory ran out, or shared memory "
                "(/dev/shm), a smaller batch size or `data.num_workers` needs less; `data.num_workers` 0 reads without "
                "further processes"
            ) from error
        finally:
            for _, future in pending:
                future.cancel()

    def _held(self, pending: Iterable[tuple[Request, Future[_Answer]]]) -> str:
        """What the processes were reading."""
        busy = {first for first in self._busy if first != _IDLE}
        held = [request for request, _ in pending if request.first in busy]
        names = [self._dataset.inputs.source.locate(index) for request in held for index in request.indices.tolist()]
        if not names:
            return ""
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        return f" while it was reading one of these: {shown}"

    def _submit(self, request: Request) -> Future[_Answer]:
        with warnings.catch_warnings():  # the first request starts the processes, beside the threads of torch
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            return self._pool.submit(_gather, request, self._skip_bad)


def _received(request: Request, future: Future[_Answer]) -> tuple[Request, Gathered]:
    answer = future.result()
    if isinstance(answer, DataError):
        raise answer
    inputs, targets, kept, skipped = answer
    return request, Gathered(inputs.numpy(), None if targets is None else targets.numpy(), kept, skipped)


_dataset: Dataset
"""What a worker process reads; it has it from its parent, without a copy."""
_busy: Any
"""Where each worker process notes the first place of the request that it works on."""
_number: int
"""Number of this worker process."""


def _start(dataset: Dataset, busy: Any, turn: Any) -> None:
    global _dataset, _busy, _number  # the only way from the start of a process to its tasks
    _dataset, _busy = dataset, busy
    with turn.get_lock():
        _number = turn.value
        turn.value += 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends the pool
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _gather(request: Request, skip_bad: bool) -> _Answer:
    _busy[_number] = request.first
    try:
        inputs, targets, kept, skipped = _dataset.gather(request, skip_bad)
    except DataError as error:
        return error
    finally:
        _busy[_number] = _IDLE
    return torch.from_numpy(inputs), None if targets is None else torch.from_numpy(targets), kept, skipped
