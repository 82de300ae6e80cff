"""Work beside the run: one thread, jobs in order, and a fault that comes back to whoever gives the next one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

_WAITING = 2
"""Jobs that may wait; more would hold more batches in memory."""


class Beside:
    """Does jobs one after the other in a thread of its own, which starts with the first job."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._fault: BaseException | None = None

    def do(self, job: Callable[[], None]) -> None:
        """Takes a job; waits while too many are waiting.

        Raises:
            BaseException: What an earlier job raised; jobs behind it are dropped.
        """
        self._raise()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def finish(self) -> None:
        """Waits for all jobs.

        Raises:
            BaseException: What one of them raised.
        """
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        self._raise()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._fault is None:
                try:
                    job()
                except BaseException as fault:  # it is raised again where the run can be stopped
                    self._fault = fault

    def _raise(self) -> None:
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
