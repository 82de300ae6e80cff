"""What the task `gan` asks of a configuration: two networks, two optimizers, a loss for both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rmldnn.component import misspelt, show
from rmldnn.config import catalog
from rmldnn.config.parts import PARTS, SECTIONS, in_parts
from rmldnn.errors import Problem

LOSSES = ("wasserstein", "gan", "leastsquares", "hinge")
"""Losses that two networks learn by."""
_NEEDED = '{"generator": ..., "discriminator": ...}'


def is_gan(values: Mapping[str, Any]) -> bool:
    """Whether a configuration is about a pair of networks."""
    task = values.get("task")
    return str(task.get("type") if isinstance(task, dict) else task).lower() == "gan"


def makes_samples(values: Mapping[str, Any]) -> bool:
    """Whether a run without data has something to do: it makes samples."""
    return is_gan(values) and bool(values["task"].get("num_samples"))


def needs_no_targets(values: Mapping[str, Any]) -> bool:
    """Whether a training does without targets: that of two networks that are told of no classes."""
    task = values.get("task")
    return is_gan(values) and not (isinstance(task, dict) and task.get("conditional"))


def check_adversaries(values: Mapping[str, Any], *, trains: bool) -> Iterator[Problem]:
    """Every problem of a configuration of the task `gan`, and of one that only looks like it.

    Args:
        values: The configuration.
        trains: Whether there is a training set.
    """
    gan = is_gan(values)
    if not gan:
        for section in SECTIONS:
            if in_parts(values.get(section)) and "class_name" not in values[section]:
                message = 'two networks are for the task `gan`; set "task": "gan", or start with --app=gan'
                yield Problem(section, message)
    yield from _loss(values.get("loss"), gan=gan)
    if gan:
        yield from _networks(values)
        if trains and values.get("optimizer") is not None:
            yield from _both(values["optimizer"], "optimizer")
        yield from _unsuited(values)


def _loss(loss: Any, *, gan: bool) -> Iterator[Problem]:
    items = [item for item in (loss if isinstance(loss, list) else [loss]) if isinstance(item, dict)]
    names = [str(item.get("function")).lower() for item in items]
    if gan and items and (isinstance(loss, list) or names[0] not in LOSSES) and catalog.find("loss", names[0]):
        known = ", ".join(catalog.group("loss")[name].name for name in LOSSES)
        yield Problem("loss", f"the task `gan` takes one loss for both networks: {known}")
    if not gan and any(name in LOSSES for name in names):
        message = 'is for two networks that learn against each other; set "task": "gan", or start with --app=gan'
        yield Problem("loss", message)


def _both(section: Any, path: str) -> Iterator[Problem]:
    """What is missing of a section in parts."""
    if not in_parts(section):
        yield Problem(path, f"the task `gan` has two networks; write {_NEEDED} with what was here for each")
        return
    for part in PARTS:
        if part not in section and not misspelt(part, section):
            yield Problem(path, f"`{part}` is missing; the task `gan` needs {_NEEDED}")


def _networks(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Each network is given once, by layers or as a family."""
    given = {key: values[key] for key in ("layers", "network") if values.get(key) is not None}
    whole = [key for key, section in given.items() if not in_parts(section)]
    for key in whole:
        yield from _both(given[key], key)
    if not given:
        yield Problem("", f'`layers` is missing; the task `gan` needs "layers": {_NEEDED}, or `network` for families')
    elif not whole:
        for part in PARTS:
            places = [key for key, section in given.items() if part in section]
            if len(places) > 1:
                yield Problem(f"network.{part}", f"`layers.{part}` says what this network is as well; remove one")
            elif not places and not any(misspelt(part, section) for section in given.values()):
                yield Problem(min(given), f"`{part}` is missing; the task `gan` needs {_NEEDED}")


def _unsuited(values: Mapping[str, Any]) -> Iterator[Problem]:
    """What has no meaning for two networks, or is not there for them."""
    task, data, engine = (section if isinstance(section := values.get(key), dict) else {} for key in _SECTIONS)
    loss = values.get("loss")
    loss = loss if isinstance(loss, dict) else {}
    if task.get("conditional") is True and not (data.get("target_type") or data.get("type")) and data.get("input_path"):
        yield Problem("task.conditional", 'needs the classes of the samples; set "target_type": "labels" in `data`')
    if engine.get("zero"):
        yield Problem("engine.zero", "does not work with the task `gan`, whose networks learn by turns; set it to 0")
    if data.get("batch_size") == "auto":
        yield Problem("data.batch_size", "`auto` measures a single network; give a number for the task `gan`")
    for key, remedy in _NOT_THERE.items():
        if values.get(key):
            yield Problem(key, f"does not work with the task `gan`; {remedy}")
    if data.get("hdf5_outfile"):
        yield Problem("data.hdf5_outfile", "puts predictions of slices together, but the task `gan` predicts nothing")
    if (
        str(loss.get("function")).lower() == "wasserstein"
        and not loss.get("clip")
        and loss.get("gradient_penalty") != 0
    ):
        if values.get("precision") == "fp16":
            message = f"{show('fp16')} has too few numbers for the gradient of a gradient penalty"
            yield Problem("precision", f"{message}; take `bf16`, or `loss.clip`")
        if values.get("compile"):
            message = "torch compiles no gradient of a gradient, which the gradient penalty needs"
            yield Problem("compile", f"{message}; leave it out, or take `loss.clip`")


_SECTIONS = ("task", "data", "engine")
_NOT_THERE = {
    "metrics": "give it `task.classifier`, which measures what samples are worth",
    "activation_checkpointing": "take a smaller `data.batch_size`",
    "multigrid": "leave it out",
}
