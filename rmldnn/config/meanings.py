"""What the docstrings of components say to people: in a line, and of each key."""

from __future__ import annotations

import inspect
import re

from rmldnn.component import Form
from rmldnn.config import catalog

_REFERENCE = re.compile(r"; keys as in `(\w+)`")
"""What the docstring of a component says that has the keys of another one."""


def summary(form: Form) -> str:
    """The first paragraph of a component's docstring."""
    return _REFERENCE.sub("", form.doc.partition("\n\n")[0])


def described(group: str, form: Form) -> str:
    """The docstring that says what a form's keys mean: its own, or that to which it refers."""
    reference = _REFERENCE.search(form.doc)
    if not reference:
        return form.doc
    name = reference.group(1)  # of a component, or of its function
    others = catalog.group(group)
    return next(other.doc for key, other in others.items() if name in (key, other.target.rpartition(".")[2]))


def arguments(doc: str) -> dict[str, str]:
    """What the section `Args` of a docstring says of each parameter."""
    section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)*)", inspect.cleandoc(doc), re.MULTILINE)
    entries = re.split(r"^    (?=\w+: )", section.group(1), flags=re.MULTILINE)[1:] if section else []
    pairs = (entry.partition(": ") for entry in entries)
    return {name: " ".join(text.split()) for name, _, text in pairs}


def keys(group: str, form: Form) -> dict[str, str]:
    """What each key of a component means."""
    return arguments(described(group, form))
