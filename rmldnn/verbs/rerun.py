"""`rmldnn rerun`: makes a run once more, as its run folder tells."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import chain, count
from operator import getitem
from pathlib import Path
from typing import Any

import rmldnn
from rmldnn.config import spec
from rmldnn.config.reader import dotted
from rmldnn.config.spec import Spec
from rmldnn.disk import sha256
from rmldnn.errors import ConfigError, Problem
from rmldnn.output import surroundings
from rmldnn.output.placing import HERE, OUTPUTS, moved
from rmldnn.output.run_folder import CONFIG, Record, recorded
from rmldnn.verbs import PLUGINS, parser, plugged
from rmldnn.verbs.starting import add_options, processes, start

DESCRIPTION = """\
Makes a run once more, from its beginning and in the folder where it was made; the new run gets a run folder of its own.
Log files, checkpoints and predictions go to `outputs` in it, so that those of the first run stay as they are; other
places by outfile=..., checkpoints.save=... Says what has changed since then: versions, the commit of the repository,
network files, which are then taken as they were. A run of several processes is started as it was:
rmldnn rerun runs/unet --procs 2, mpirun -np 2 rmldnn rerun runs/unet

  rmldnn rerun runs/unet                        the same again
  rmldnn rerun runs/unet seed=1 num_epochs=20   ... with some values changed"""


def main(arguments: Sequence[str]) -> int:
    """Makes the run; returns the exit code."""
    options = parser("rerun", "[options] RUN_FOLDER [KEY=VALUE ...]", DESCRIPTION)
    options.add_argument("folder", nargs="?", metavar="RUN_FOLDER", help="folder of the run, such as runs/unet")
    options.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="changes")
    options.add_argument("--log", choices=("auto", "plain", "rich"), default="auto", help="how to speak, as for a run")
    add_options(options)
    given = options.parse_intermixed_args(list(arguments))
    if given.folder is None:
        raise ConfigError("name a run folder: rmldnn rerun runs/unet; see rmldnn rerun --help")
    if (code := processes(given.procs, ["rerun", *arguments])) is not None:
        return code
    record = recorded(Path(given.folder).absolute())
    session = record.sessions[-1]
    modules, changes = plugged(given.changes)
    _require_plugins(session["command"], modules)
    _enter(session["directory"], record.folder)
    lenient = bool(session["lenient"])
    start(
        lambda: _loaded(record, changes, lenient=lenient),
        changes,
        lenient=lenient,
        console=given.log,
        timeout=given.timeout,
    )
    return 0


def _require_plugins(command: Sequence[str], given: Sequence[str]) -> None:
    """Components of one's own come back by one's own word only: a run folder may be somebody else's."""
    lacking = [word for word in command if word.lstrip("+").startswith(PLUGINS)]
    if lacking and not given:
        words = " ".join(shlex.quote(word) for word in lacking)
        raise ConfigError(f"the run was made with components of modules; add {words} if you trust them")


def _enter(directory: str, folder: Path) -> None:
    try:
        os.chdir(directory)
    except OSError as error:
        message = (
            f"the run was made in `{directory}`, which cannot be entered: {error.strerror}; go to where its data is "
            f"now, and call rmldnn {folder / CONFIG} there"
        )
        raise ConfigError(message) from error


def _loaded(record: Record, changes: Sequence[str], *, lenient: bool) -> Spec:
    """The configuration of the run, less what would lead to its own files; what has changed since is a warning."""
    loaded = spec.load(record.folder / CONFIG, lenient=lenient)
    loaded.values.pop("run_folder", None)
    (loaded.values.get("checkpoints") or {}).pop("resume", None)
    names: dict[Path, str] = {}
    loaded.values.update(moved(loaded.values, lambda _, place: f"{HERE}/{OUTPUTS}/{_name(Path(place), names)}"))
    session = record.sessions[-1]
    loaded.warnings += [Problem("", message) for message in _differences(session)]
    changed = tuple(change.partition("=")[0] for change in changes)
    for kept in session["networks"]:
        file, path = Path(kept["file"]), dotted(kept["key"])
        if path.startswith(changed) or (file.is_file() and sha256(file) == kept["sha256"]):
            continue
        message = f"the network file `{file}` is another one than it was"
        if kept["copy"]:
            copy = str(record.folder / kept["copy"])
            *sections, last = kept["key"]
            reduce(getitem, sections, loaded.values)[last] = copy
            message += f"; `{copy}` is taken, a copy of that time"
        loaded.warnings.append(Problem(path, message))
    return loaded


def _name(place: Path, names: dict[Path, str]) -> str:
    """What an output is called in the new run: as it was, with a number if another place has that name already."""
    place = place.absolute()
    if place not in names:
        counted = (f"{place.stem}-{number}{place.suffix}" for number in count(2))
        names[place] = next(name for name in chain([place.name], counted) if name not in names.values())
    return names[place]


def _differences(session: Mapping[str, Any]) -> Iterator[str]:
    """What differs between the time of a run and now."""
    then = session["software"]
    now = {
        "rmldnn": rmldnn.__version__,
        "python": platform.python_version(),
        "torch": surroundings.packages().get("torch"),
    }
    for name, version in now.items():
        if then[name] != version:
            yield f"the run was made with {name} {then[name]}, this is {version}"
    git = session["git"] or {"commit": None, "changed": None}
    here = surroundings.git(Path.cwd()) or {"commit": None, "changed": None}
    if git["commit"] and git["commit"] != here["commit"]:
        yield f"the run was made at commit {git['commit']} of the repository, this is {here['commit'] or 'none'}"
    if git["changed"]:
        yield "the run was made with changes to the repository that were not committed"
