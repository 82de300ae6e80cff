"""Worker processes that read batches ahead of their use."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from rmldnn.data.sets import Dataset, Gathered, Request
from rmldnn.errors import DataError


class Workers:
    """Processes that stay for all epochs, and are started when first needed.

    Args:
        dataset: What they read.
        count: How many there are.
    """

    def __init__(self, dataset: Dataset, count: int) -> None:
        self._requests: list[Request] = []
        self._loader = DataLoader(
            _Reader(dataset),
            batch_size=None,  # one request, one batch
            sampler=self._requests,
            num_workers=count,
            collate_fn=_as_it_is,
            worker_init_fn=_calm,
            persistent_workers=True,
            multiprocessing_context="fork",
            generator=torch.Generator(),  # else reading would draw from the generator of the run
        )

    def gather(self, requests: Iterator[Request]) -> Iterator[tuple[Request, Gathered]]:
        """Lets the processes read what is wanted; answers come in the order of the requests.

        Raises:
            DataError: As `Dataset.gather` says, or a process died.
        """
        self._requests[:] = requests
        wanted = list(self._requests)
        try:
            for request, answer in zip(wanted, self._start(), strict=True):
                if isinstance(answer, DataError):
                    raise answer
                inputs, targets = answer
                yield request, Gathered(inputs.numpy(), None if targets is None else targets.numpy())
        except RuntimeError as error:
            if "exited unexpectedly" in str(error):
                raise DataError(
                    f"a process that reads samples died ({error}); if memory ran out, a smaller `data.num_workers` or "
                    f"batch size needs less of it"
                ) from None
            raise

    def _start(self) -> Iterator[Any]:
        """Starts an epoch, and the processes if this is the first one."""
        before = signal.getsignal(signal.SIGCHLD)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # torch is
            answers = iter(self._loader)
        if threading.current_thread() is threading.main_thread():
            # Torch would report a dead process at once, as an exception in whatever line is being executed. Without its
            # handler it is found missing when its answer is wanted.
            signal.signal(signal.SIGCHLD, before or signal.SIG_DFL)
        return answers


class _Reader(TorchDataset[Any]):
    """Runs in the worker processes."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __getitem__(self, request: Any) -> tuple[torch.Tensor, torch.Tensor | None] | DataError:
        try:
            inputs, targets = self._dataset.gather(request)
        except DataError as error:
            return error  # raised, it would arrive wrapped in the worker's traceback
        return torch.from_numpy(inputs), None if targets is None else torch.from_numpy(targets)


def _as_it_is(answer: Any) -> Any:
    return answer


def _calm(_: int) -> None:
    cv2.setNumThreads(1)  # processes are parallel, OpenCV need not be; torch sees to itself
