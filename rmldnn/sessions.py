"""A session of a training: its run folder, the state that it goes on from, and what it learns by."""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmldnn.config import catalog, parts, translate
from rmldnn.engine import resuming
from rmldnn.engine.interface import Engine
from rmldnn.engine.states import State
from rmldnn.output.places import writing
from rmldnn.output.placing import HERE
from rmldnn.output.run_folder import HISTORY, STATES, Record, open_folder, record, run_name

log = logging.getLogger("rmldnn")

_KEYS = (
    "num_epochs", "seed", "accumulate", "gradient_clip", "ema", "outfile", "sync_batchnorm", "semantics", "multigrid",
)  # fmt: skip
"""Keys of the top level that a training goes on with."""
_TRANSFORMS = "transforms", "input_transforms", "target_transforms"


@dataclass(frozen=True)
class Session:
    """Where a training runs, and what it goes on from.

    Args:
        folder: The run folder.
        config: The composed configuration, as it was written.
        state: What the training goes on from; None if it begins.
        record: What is told of the run in its folder, by the first process.
    """

    folder: Path
    config: Mapping[str, Any]
    state: State | None
    record: Record | None

    def begins_anew(self) -> set[str]:
        """Consumers whose files are other ones than those of the state; the history of another run folder is copied."""
        if self.state is None or self.record is None:
            return set()
        anew = set()
        former = self.state.folder.absolute().parent.parent
        other = former.resolve() != self.folder.resolve()
        if other and not _copied(former, self.folder, self.state):
            log.info(f"`{former}` has no history of the state any more: that of `{self.folder}` begins with the state")
            anew.add("History")
        now = self.config.get("outfile")
        then = self.state.facts.get("terms", {}).get("outfile", now)
        if now and then and (now != then or (other and HERE in now)):
            log.info(f"The log files of `{now}` begin with the state")
            anew.add("Outfile")
        return anew

    def values(self, batch_size: int, names: Sequence[str], precision: str) -> dict[str, Any]:
        """What the training learns by, by keys of the configuration, with every default.

        Args:
            batch_size: Samples of a batch.
            names: Names of the samples of an epoch.
            precision: What layers compute with.
        """
        config = self.config
        digest = hashlib.sha256()
        for name in names:
            digest.update(f"{name}\n".encode(errors="surrogateescape"))
        return {
            **{
                f"{path}.{key}": value
                for path, optimizer in parts.named(config["optimizer"], "optimizer").items()
                for key, value in _learning(optimizer).items()
            },
            "loss": [_filled("loss", item, "function") for item in translate.listed(config.get("loss"))],
            **{key: config.get(key) for key in _KEYS},
            "precision": precision,
            "data.batch_size": batch_size,
            "data.shuffle": config["data"].get("shuffle"),
            "data.input_path": f"{len(names)} samples, names {digest.hexdigest()[:12]}",
            **{f"data.{key}": config["data"].get(key) or [] for key in _TRANSFORMS},
        }


def open_session(
    engine: Engine,
    stack: ExitStack,
    config: Mapping[str, Any],
    *,
    run_folder: str | None,
    file: str,
    seed: int,
    lenient: bool,
) -> Session:
    """Finds the state, and makes the run folder in the first process, of which nothing stays if the run does not begin.

    Args:
        engine: Where and with whom to compute.
        stack: What ends with the run.
        config: The composed configuration.
        run_folder: The run folder that the user wants; that of the state, or a new one, if absent.
        file: The configuration file.
        seed: Of the run.
        lenient: Whether unknown keys of layers are warnings.

    Raises:
        CheckpointError: There is no state where the user says.
        ConfigError: The run folder cannot be made, or another run writes to it.
    """
    resume = (config.get("checkpoints") or {}).get("resume")
    state = resuming.named(engine, resume)
    made: Record | None = None
    if engine.rank == 0:
        if state is not None and run_folder is None:
            run_folder = str(state.folder.parent.parent)  # a state goes on where it was saved
        name = run_name(file)
        folder = open_folder(run_folder, name, resume=resume is not None and state is None)
        made = record(
            folder,
            name=name,
            command=sys.argv,
            file=file,
            seed=seed,
            processes=engine.world,
            devices=engine.devices,
            lenient=lenient,
            resumed=resume is not None,
        )
        stack.enter_context(made)
    folder = Path(engine.told("" if made is None else str(made.folder)))
    if resume is not None and state is None:
        state = resuming.newest(engine, folder / STATES)
    return Session(folder, config, state, made)


def _learning(optimizer: Mapping[str, Any]) -> dict[str, Any]:
    """What an optimizer learns by, with every default."""
    return {
        **_filled("optimizer", optimizer),
        "parameters": optimizer.get("parameters") or [],
        "lr_scheduler": [_filled("scheduler", item) for item in translate.listed(optimizer.get("lr_scheduler"))],
    }


def _filled(group: str, keys: Mapping[str, Any], word: str = "type") -> dict[str, Any]:
    """What a section says, with the name of its component as it is written, and every default."""
    form = catalog.find(group, keys[word])
    assert form is not None  # noqa: S101 - the configuration was checked
    usual = {key: parameter.default for key, parameter in form.parameters.items() if not parameter.required}
    filled = {word: form.name} | {key: value for key, value in (usual | dict(keys)).items() if key != word}
    return {key: value for key, value in filled.items() if key not in ("lr_scheduler", "parameters", "verbose")}


def _copied(former: Path, folder: Path, state: State) -> bool:
    """Whether the history of a run could be brought into another folder, whose files are cut to the state later."""
    known = state.load("run")["records"].get("History", {})
    sizes = {name: known.get(Path(name).suffix[1:], 0) for name in HISTORY}
    if any(not (file := former / name).is_file() or file.stat().st_size < size for name, size in sizes.items()):
        return False
    with writing(str(folder), key="run_folder"):
        for name in HISTORY:
            shutil.copyfile(former / name, folder / name)
    log.info(f"The history so far is that of `{former}`")
    return True
