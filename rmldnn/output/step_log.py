"""Log files that follow the steps of a run: what those for people and those for programs have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from rmldnn.output.log_file import LogFile
from rmldnn.output.updates import Update, Updates
from rmldnn.steps import EvalEnd, Step, TrainEnd, TrainStep


class StepLog(ABC):
    """Writes a row for each update and what is due at the ends, overwriting an older run with the first step.

    Rows of the last second may wait in memory; `close` writes them.

    Args:
        files: The files, by the names that states know them by.
        rows: The name of the file that has a row for each update; nothing is held for a file that is not there.
    """

    def __init__(self, files: Mapping[str, LogFile], rows: str) -> None:
        self._files = dict(files)
        self._row_file = self._files.get(rows)
        self._updates = Updates()
        self._begun = False

    @abstractmethod
    def _row(self, update: Update) -> str:
        """The row of an update, with its line end."""

    @abstractmethod
    def _end(self, step: TrainEnd | EvalEnd) -> None:
        """Writes what is due at the end of one half of an epoch, whose updates are written."""

    def consume(self, step: Step) -> None:
        """Keeps or writes what the files tell of a step.

        Raises:
            RmldnnError: A file cannot be written.
        """
        self._begin()
        match step:
            case TrainStep() if self._row_file is not None:
                if self._updates.add(step):
                    self._write_updates()
            case TrainEnd() | EvalEnd():
                self._write_updates()
                self._end(step)

    def close(self) -> None:
        """Writes the rows that were held back, and closes the files.

        Raises:
            RmldnnError: A file cannot be written.
        """
        try:
            self._write_updates()
        finally:
            for file in self._files.values():
                file.close()

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on must know; all rows so far are then on the disk.

        Raises:
            RmldnnError: A file cannot be written.
        """
        self._begin()
        self._write_updates()
        positions = {name: file.position() for name, file in self._files.items()}
        return {**positions, "seconds": self._updates.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on in the files of an earlier run, which are cut to what it had written by then.

        Args:
            state: What `state_dict` gave; files that it does not know begin anew.

        Raises:
            ConfigError: A file is shorter than it was.
            RmldnnError: A file cannot be written.
        """
        self._begun = True
        self._updates = Updates(state.get("seconds", 0.0))
        for name, file in self._files.items():
            if name in state:
                file.resume(state[name])
            else:
                file.begin()

    def _begin(self) -> None:
        if not self._begun:
            self.load_state_dict({})

    def _write_updates(self) -> None:
        rows = "".join(map(self._row, self._updates.take()))
        if rows and self._row_file is not None:
            self._row_file.write(rows)
