"""Places that a configuration gives to outputs, and how it puts them into the run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rmldnn.errors import ConfigError, Problem

HERE = "{run_folder}"
"""What the run folder is called in the places of outputs."""
OUTPUTS = "outputs"
"""The folder in the run folder that takes the outputs of a run that is made again."""
_KEYS = "outfile", "checkpoints.save", "data.test_output_path", "data.hdf5_outfile"


def moved(config: Mapping[str, Any], place: Callable[[str, str], str]) -> dict[str, Any]:
    """A configuration whose outputs have other places.

    Args:
        config: The configuration; not changed.
        place: From the key of an output, such as `checkpoints.save`, and its place to the new one.
    """
    result = dict(config)
    for path in _KEYS:
        section, _, key = path.rpartition(".")
        keys = result.get(section) if section else result
        if keys and keys.get(key):
            changed = {**keys, key: place(path, keys[key])}
            result = {**result, section: changed} if section else changed
    return result


def placed(config: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """A configuration with the run folder in the places of outputs that name it by `{run_folder}`.

    Raises:
        ConfigError: There is no run folder, as nothing is trained.
    """

    def place(path: str, text: str) -> str:
        if HERE in text and folder is None:
            raise ConfigError(Problem(path, f"only a training has a run folder, got `{text}`; name another place"))
        return text.replace(HERE, str(folder))

    return moved(config, place)
