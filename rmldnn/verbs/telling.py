"""What `rmldnn init` tells of data, and of what to type next."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from rmldnn.config.drafting.facts import Facts
from rmldnn.data.layouts.layout import Layout
from rmldnn.looking.measuring import Look
from rmldnn.verbs.choosing import sides

_NAMES = 8
_FAULTS = 3


def tell(layout: Layout, seen: Look) -> None:
    """Prints what was found: the sets, the task, notes, and warnings."""
    facts = seen.facts
    print(f"{layout.train.input}: {facts.samples:,} {_samples(facts)}")
    if layout.test is not None and facts.tested:
        print(f"{layout.test.input}: {facts.tested:,} for the test")
    names = ", ".join([*facts.classes[:_NAMES], *(["..."] if len(facts.classes) > _NAMES else [])])
    thing, more = {"regression": ("number", "s"), "image-to-image": ("channel", "s")}.get(facts.task, ("class", "es"))
    print(
        f"Task: {facts.task}, {facts.outputs} {thing}{more if facts.outputs > 1 else ''}{f': {names}' if names else ''}"
    )
    for note in (*layout.notes, *seen.notes):
        print(f"Note: {note}")
    for fault in seen.faults[:_FAULTS]:
        print(f"Warning: {fault}", file=sys.stderr)
    if len(seen.faults) > _FAULTS:
        print(f"Warning: and {len(seen.faults) - _FAULTS} more samples that cannot be used", file=sys.stderr)


def _samples(facts: Facts) -> str:
    if not facts.axes:
        return f"rows of {facts.channels} numbers"
    low, high = (sides(facts, one) for one in (facts.least, facts.most))
    extents = low if low == high else f"{low} to {high}"
    what = f"{'picture' if facts.pixels else 'array'}{'s' if facts.samples > 1 else ''} of {extents}"
    return f"{what}, {facts.channels} channel{'s' if facts.channels > 1 else ''}"


def tell_next(out: Path, facts: Facts, *, anchored: bool) -> None:
    """Prints the commands that follow."""
    print("What to type next:")
    file = shlex.quote(str(out))
    lines = [(f"rmldnn data {file}", "look at the data as the network will see it")]
    if facts.task == "detection" and not anchored:
        lines.append((f"rmldnn anchors {file}", "sizes of boxes to start from, once there are more boxes"))
    lines.append((f"rmldnn {file}", "train"))
    width = max(len(line) for line, _ in lines)
    for line, what in lines:
        print(f"  {line:<{width}}    # {what}")
