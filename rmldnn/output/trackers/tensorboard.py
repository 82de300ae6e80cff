"""TensorBoard: event files in the run folder, or in one for many runs."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from rmldnn.component import component
from rmldnn.output.places import writing
from rmldnn.output.trackers.tracker import Tracker, missing, parameters
from rmldnn.types import Path

_END = ".end"
"""Suffix of the file that says how a run ended; its readers keep the first that they are told."""

_RESULTS = ("train_loss", "test_loss", "accuracy")
"""What the tab HParams compares."""


@component("TensorBoard")
class TensorBoard(Tracker):
    """Event files for `tensorboard --logdir runs`; the configuration is in its tab HParams.

    Args:
        name: Name of the run.
        folder: The run folder.
        config: The composed configuration.
        log_path: Folder in which each run gets a folder of its own; `tensorboard` in the run folder if absent.

    Raises:
        ConfigError: The package is not installed, or files cannot be written.
    """

    def __init__(self, name: str, folder: str, config: Mapping[str, Any], *, log_path: Path | None = None) -> None:
        super().__init__()
        try:
            from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
            from torch.utils.tensorboard import SummaryWriter, summary
        except ImportError as error:
            raise missing("TensorBoard", error) from error
        self._open_writer: Any = SummaryWriter
        self._content: Any = plugin_data_pb2.HParamsPluginData
        self._failure = api_pb2.STATUS_FAILURE
        described: Any = summary.hparams
        self._folder = pathlib.Path(log_path, name) if log_path else pathlib.Path(folder, "tensorboard")
        experiment, start, self._ended = described(dict(parameters(config)), dict.fromkeys(_RESULTS))
        self._about = [experiment, start]
        with writing(str(self._folder), key="tracking"):
            self._folder.mkdir(parents=True, exist_ok=True)

    def _open(self, first: int | None) -> tuple[int, int]:
        with writing(str(self._folder), key="tracking"):
            for path in self._folder.glob(f"events.*{_END}"):
                path.unlink()
            # Readers forget what earlier files have from this step on.
            self._writer = self._open_writer(str(self._folder), purge_step=first or 0)
        for summary in self._about if first is None else ():
            self._writer.file_writer.add_summary(summary)
        return 0, 0

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def _flush(self) -> None:
        self._writer.flush()

    def _end(self, *, complete: bool) -> None:
        self._writer.close()
        if not complete:
            said = self._ended.value[0].metadata.plugin_data
            content = self._content.FromString(said.content)
            content.session_end_info.status = self._failure
            said.content = content.SerializeToString()
        with self._open_writer(str(self._folder), filename_suffix=_END) as writer:
            writer.file_writer.add_summary(self._ended)
