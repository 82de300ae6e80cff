"""Where samples come from: the two questions a run and a source ask each other.

A source component is a callable `(side, *, keys of the user) -> Source`. The run says which `Side` it wants; the source
says which samples there are (`names`) and hands them over on request (`take`). Inputs and targets, folders and single
files, arrays on disk and in memory all look alike from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Which: TypeAlias = Literal["train", "test"]
Role: TypeAlias = Literal["input", "target"]
Indices: TypeAlias = NDArray[np.int64]
Samples: TypeAlias = Sequence[NDArray[Any]] | NDArray[Any]
"""A list of arrays, or one array with a leading axis where all have one shape."""


Meaning: TypeAlias = Literal["pixels", "values", "classes", "boxes"]
"""What the numbers of a sample are, and so what becomes of them in a batch:

- `pixels`, (*spatial, C): 8 or 16 bits become float32 in [0, 1], floats stay; (n, C, *spatial).
- `values`, (*spatial, C): numbers as stored, float32; (n, C, *spatial).
- `classes`, (*spatial, 1) or one number: class indices, int64; (n, *spatial). Never blended with their neighbours.
- `boxes`, (1 + k, 5): what is on a picture, see `data.boxes`; (n, 1 + most, 5), float32.
"""


class Source(Protocol):
    """The samples of one side of one set; sources inherit the defaults of this protocol.

    Attributes:
        kind: The name users write, as the log repeats it: `images`.
        noun: What the log counts: `images`, `samples`.
        names: One name per sample: the path below the configured folder, with `/`. Never empty.
        meaning: What the numbers of a sample are. Transforms act on samples that have axes besides the channels.
        groups: Sizes of consecutive runs of samples that may share a batch, where not all may; they sum to the whole.
        blocks: Sizes of consecutive runs of samples that lie one behind another on the disk and are best read so.
        finite: Whether an array that `take` gives was looked through for values that are no numbers.
    """

    kind: str
    noun: str
    names: Sequence[str]
    meaning: Meaning
    groups: Sequence[int] = ()
    blocks: Sequence[int] = ()
    finite: bool = False

    def take(self, indices: Indices) -> Samples:
        """The samples at `indices`, in this order; the caller may change the array, but not the members of a list.

        Raises:
            DataError: A sample cannot be read; names the file and the cause.
        """
        ...

    def locate(self, index: int) -> str:
        """Where a sample lies, as messages call it: the path as configured joined with the name."""
        ...

    def encoded_bytes(self, limit: int) -> int:
        """Bytes to read and decode for one pass over all samples; may stop counting beyond `limit`."""
        ...

    def fingerprint(self) -> str:
        """A text that differs wherever samples do: of files with their sizes and times, and the keys that matter."""
        ...


@dataclass(frozen=True)
class Side:
    """Which samples are wanted: the inputs or the targets of the training or the test set.

    Args:
        which: The set.
        role: The side of it.
        path: The configured file or folder; None if the configuration gives none.
        inputs: For targets, the inputs that they belong to.
        training: For a test set, the same side of the training set, if there is one.
        skip_bad: Whether files that cannot be opened are told when their samples are wanted, not at once.
    """

    which: Which
    role: Role
    path: str | None = None
    inputs: Source | None = None
    training: Source | None = None
    skip_bad: bool = False

    @property
    def key(self) -> str:
        """The key of `data` that gives the path: `test_input_path`."""
        return f"test_{self.role}_path" if self.which == "test" else f"{self.role}_path"

    @property
    def words(self) -> str:
        """How the log calls the set: `training`, `test`."""
        return "training" if self.which == "train" else "test"


OpenSource: TypeAlias = Callable[[Side], "Source | None"]
"""A source component with the user's keys filled in. None: the side has no samples, as no path is configured for it."""
