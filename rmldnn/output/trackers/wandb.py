"""Weights & Biases: a run in a project there, or in a folder to be sent later."""

from __future__ import annotations

import pathlib
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from rmldnn.component import component
from rmldnn.output.places import writing
from rmldnn.output.trackers.tracker import Tracker, missing, parameters, unreachable


@component("WandB", title="Weights & Biases")
class WandB(Tracker):
    """A run in a project of Weights & Biases. The files of its client are in `wandb` in the run folder.

    Args:
        name: Name of the run.
        folder: The run folder.
        config: The composed configuration.
        project: Name of the project; what `WANDB_PROJECT` says if absent.
        entity: Team or user whom the project belongs to; the one who is logged in if absent.
        run_name: Name of the run there; that of the run folder if absent.
        mode: `offline` keeps everything in the run folder, for `wandb sync`; `disabled` does nothing. What `WANDB_MODE`
            says if absent, and else `online`.

    Raises:
        ConfigError: The package is not installed, or nobody is logged in.
    """

    def __init__(
        self,
        name: str,
        folder: str,
        config: Mapping[str, Any],
        *,
        project: str | None = None,
        entity: str | None = None,
        run_name: str | None = None,
        mode: Literal["online", "offline", "disabled"] | None = None,
    ) -> None:
        super().__init__()
        try:
            import wandb
        except ImportError as error:
            raise missing("WandB", error) from error
        self._client: Any = wandb
        self._folder = folder
        self._file = pathlib.Path(folder, "wandb_run")
        self._keys = {
            "project": project,
            "entity": entity,
            "name": run_name or name,
            "mode": mode,
            "config": dict(parameters(config)),
        }

    def _open(self, first: int | None) -> tuple[int, int]:
        goes_on = first is not None and self._file.exists()
        with writing(str(self._file), key="run_folder"):
            if not goes_on:
                self._file.write_text(f"{uuid.uuid4().hex[:12]}\n", encoding="ascii")
            name = self._file.read_text(encoding="ascii").strip()
        try:
            self._run = self._client.init(
                id=name,
                dir=self._folder,
                resume="allow" if goes_on else None,
                settings=self._client.Settings(silent=True, console="off"),  # the terminal is ours
                **self._keys,
            )
        except Exception as error:
            raise unreachable("WandB", error, "call `wandb login`, or choose the mode `offline`") from error
        # A step of its own instead of that of wandb, which drops whatever comes with a former one.
        self._run.define_metric("*", step_metric="step")
        summary = self._run.summary
        return int(summary.get("step") or 0), int(summary.get("epoch") or 0)

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({"step": step, **values})

    def _flush(self) -> None:
        """Has nothing to do: a process of its own has everything already."""

    def _end(self, *, complete: bool) -> None:
        self._run.finish(exit_code=0 if complete else 1)
