"""MLflow: a run on a tracking server."""

from __future__ import annotations

import pathlib
import re
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

from rmldnn.component import component
from rmldnn.output.places import writing
from rmldnn.output.trackers.tracker import Tracker, missing, parameters, unreachable

_METRICS, _PARAMETERS, _LETTERS = 1000, 100, 500
"""What a server takes at once, and of a text."""
_PATIENCE = 10.0
"""Seconds that a training waits for the server before it saves its state."""


@component("MLflow")
class MLflow(Tracker):
    """A run on a tracking server. A thread of its own talks to it, so that a slow server slows no training.

    Args:
        name: Name of the run.
        folder: The run folder.
        config: The composed configuration.
        tracking_uri: Address of the server, `http://...`; what `MLFLOW_TRACKING_URI` says if absent. Others than
            servers, such as `sqlite:///mlflow.db`, need the whole of MLflow: `pip install mlflow`.
        experiment: Name of the experiment; made if there is none.
        run_name: Name of the run there; that of the run folder if absent.

    Raises:
        ConfigError: The package is not installed, or there is no server.
    """

    def __init__(
        self,
        name: str,
        folder: str,
        config: Mapping[str, Any],
        *,
        tracking_uri: str | None = None,
        experiment: str = "rmldnn",
        run_name: str | None = None,
    ) -> None:
        super().__init__()
        try:
            from mlflow import MlflowClient
            from mlflow.entities import Metric, Param
        except ImportError as error:
            raise missing("MLflow", error) from error
        self._metric: Any = Metric
        self._param: Any = Param
        self._name = run_name or name
        self._config = config
        self._file = pathlib.Path(folder, "mlflow_run")
        try:
            self._client: Any = MlflowClient(tracking_uri)
            known = self._client.get_experiment_by_name(experiment)
            self._experiment = known.experiment_id if known else self._client.create_experiment(experiment)
        except Exception as error:
            raise unreachable("MLflow", error, "name its server by `tracking_uri`") from error
        self._thread = ThreadPoolExecutor(1, "mlflow")
        self._queue: deque[Any] = deque()
        self._sent: Future[None] = Future()
        self._sent.set_result(None)

    def _open(self, first: int | None) -> tuple[int, int]:
        try:
            if first is not None and self._file.exists():
                return self._go_on()
            self._run = self._client.create_run(self._experiment, run_name=self._name).info.run_id
            given = [self._param(_key(key), str(value)[:_LETTERS]) for key, value in parameters(self._config)]
            for start in range(0, len(given), _PARAMETERS):
                self._client.log_batch(self._run, params=given[start : start + _PARAMETERS])
        except Exception as error:
            raise unreachable("MLflow", error, "see to its server") from error
        with writing(str(self._file), key="run_folder"):
            self._file.write_text(f"{self._run}\n", encoding="ascii")
        return 0, 0

    def _go_on(self) -> tuple[int, int]:
        self._run = self._file.read_text(encoding="ascii").strip()
        self._client.update_run(self._run, status="RUNNING")
        steps = [metric.step for metric in self._client.get_metric_history(self._run, "loss")]
        epochs = [int(metric.value) for metric in self._client.get_metric_history(self._run, "epoch")]
        return max(steps, default=0), max(epochs, default=0)

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        self._queue.extend(self._metric(_key(name), value, now, step) for name, value in values.items())
        if self._sent.done():
            self._sent = self._thread.submit(self._send)

    def _send(self) -> None:
        try:
            while batch := list(islice(self._queue, _METRICS)):
                self._client.log_batch(self._run, metrics=batch)
                for _ in batch:
                    self._queue.popleft()
        except Exception as error:  # what it has not taken stays in the queue, for the next time
            self.failed(error)

    def _flush(self) -> None:
        wait([self._thread.submit(self._send)], _PATIENCE)

    def _end(self, *, complete: bool) -> None:
        self._thread.submit(self._send)
        self._thread.shutdown()
        self._client.set_terminated(self._run, "FINISHED" if complete else "FAILED")


def _key(name: str) -> str:
    """A name in the letters that MLflow takes."""
    return re.sub(r"[^\w./ -]", "_", name)
