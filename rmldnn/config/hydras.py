"""What Hydra composes (`conf/`, a file as an experiment, the command line), and its faults in our words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf, errors

from rmldnn.config import catalog
from rmldnn.config.describe import written
from rmldnn.config.groups import GROUPS
from rmldnn.config.keys import Values
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem


def composed(experiment: Values, arguments: Sequence[str]) -> Values:
    """`conf/` < an experiment < arguments, without values that nobody gave.

    Args:
        experiment: A list of defaults, and values that are `literal`.
        arguments: Changes in Hydra's grammar.

    Raises:
        ConfigError: An argument does not fit what it changes, or refers to nothing.
    """
    store = ConfigStore.instance()
    store.store(group="experiment", name="file", node=experiment, package="_global_")
    for group, (kind, _, key, _) in GROUPS.items():
        for name, form in catalog.plugged(kind).items():
            store.store(group=group.partition("@")[0], name=name, node=written(form, {key: form.name}))
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("rmldnn.conf", version_base="1.3"):
            config = compose("rmldnn", overrides=["+experiment=file", *arguments])
        plain = OmegaConf.to_container(config, resolve=True)
    except (HydraException, errors.OmegaConfBaseException) as error:
        raise ConfigError(_said(error)) from error
    assert isinstance(plain, dict)  # noqa: S101 - what composing a mapping gives
    values: Values = _without_missing(plain)
    return values


def _said(error: Exception) -> Problem:
    """A fault of an argument: the key that it is about, and what to write instead."""
    cause = error.__cause__ if isinstance(error.__cause__, errors.OmegaConfBaseException) else error
    path = str(getattr(cause, "full_key", None) or "")
    text = str(cause).splitlines()[0]
    if isinstance(cause, errors.ConfigIndexError):
        message = "there is no such item; give the whole list"
    elif isinstance(cause, errors.ConfigTypeError) and "Cannot merge" in text:
        message = "must be a list, such as [1,2]" if cause.object_type is list else "must be an object; set its keys"
    elif isinstance(cause, errors.InterpolationKeyError) and (key := re.search("'(.*)'", text)):
        message = f"refers to `{key[1]}`, which the configuration does not have; name another key, or write the value"
    elif isinstance(cause, errors.InterpolationResolutionError):
        message = "refers to itself; write a value"
    elif isinstance(cause, errors.GrammarParseError):
        message = "cannot read this reference; write ${section.key}"
    elif gone := re.search("delete from config. '(.*)' does not exist", text):
        path, message = gone[1], "is not there to be taken away"
    elif other := re.search("delete from config. The value of '(.*)' is (.*) and not", text):
        path, message = other[1], f"is {other[2]}; write ~{other[1]} to take it away"
    else:
        message = text
    return Problem(path, message, COMMAND_LINE)


_QUESTIONS = "???"
"""What OmegaConf takes for a value that is missing."""


def literal(value: Any) -> Any:
    """A file's values as OmegaConf must read them: `${...}` in a file is text, not a reference to run."""
    if isinstance(value, dict):
        return {key: literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [literal(item) for item in value]
    if value == _QUESTIONS:
        return f"\0{value}"
    return _REFERENCE.sub(r"\1\1\\${", value) if isinstance(value, str) else value


_REFERENCE = re.compile(r"(\\*)\$\{")
"""The beginning of a reference, and backslashes before it: two of them stand for one, and one makes it text."""


def _without_missing(value: Any) -> Any:
    """Composed values without those that nobody gave; texts are again what they are in the file."""
    if isinstance(value, dict):
        return {key: _without_missing(item) for key, item in value.items() if item != _QUESTIONS}
    if isinstance(value, list):
        return [_without_missing(item) for item in value]
    return _QUESTIONS if value == f"\0{_QUESTIONS}" else value
