"""The data of a run: a training set, a test set, or both."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rmldnn.component import component
from rmldnn.data.affine import Affine
from rmldnn.data.loader import Loader, automatic_workers
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.preload import in_memory
from rmldnn.data.sets import Dataset
from rmldnn.data.source import OpenSource, Side, Which
from rmldnn.data.transform import BatchTransform, Part, Transform
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Count, Index, Path

_log = logging.getLogger("rmldnn")


@dataclass(frozen=True)
class Data:
    """The sets of a run, and how they are cut into batches.

    Args:
        train: The training set, None if nothing is trained.
        test: The test set, None if nothing is evaluated or predicted.
        batch_size: Samples of a training batch, over all processes.
        test_batch_size: Samples of a test batch, over all processes.
        shuffle: Whether the order of the training samples is drawn anew in every epoch.
        num_workers: Worker processes of a loader.
    """

    train: Dataset | None
    test: Dataset | None
    batch_size: int
    test_batch_size: int
    shuffle: Literal["epoch", "once"]
    num_workers: int | Literal["auto"]

    def loader(
        self, which: Which, *, rank: int = 0, world: int = 1, seed: int = 0, local_world: int | None = None
    ) -> Loader:
        """The batches of one set, as one process of a run sees them.

        Args:
            which: The set, which must be there.
            rank: Number of the process.
            world: Number of processes.
            seed: Of the order and of random transforms; the same in all processes.
            local_world: Number of processes on this machine, `world` by default; they share its cores.
        """
        dataset = self.train if which == "train" else self.test
        if dataset is None:
            raise ValueError(f"the data of this run has no {which} set")
        auto = self.num_workers == "auto"
        return Loader(
            dataset,
            self.batch_size if which == "train" else self.test_batch_size,
            shuffle=self.shuffle if which == "train" else "never",
            seed=seed,
            rank=rank,
            world=world,
            num_workers=automatic_workers(dataset, local_world or world) if auto else int(self.num_workers),
        )


@component("data")
def data(
    inputs: OpenSource,
    targets: OpenSource | None = None,
    transforms: Sequence[Transform] = (),
    input_transforms: Sequence[Transform] = (),
    target_transforms: Sequence[Transform] = (),
    *,
    input_path: Path | None = None,
    target_path: Path | None = None,
    test_input_path: Path | None = None,
    test_target_path: Path | None = None,
    batch_size: Count = 64,
    test_batch_size: Count = 64,
    preload: bool = False,
    target_is_mask: bool = False,
    shuffle: Literal["epoch", "once"] = "epoch",
    num_workers: Index | Literal["auto"] = "auto",
) -> Data:
    """Opens the training set and the test set.

    Args:
        inputs: Opens inputs: a source component with the user's keys filled in.
        targets: Opens targets; None if there are none.
        transforms: What happens to inputs and targets.
        input_transforms: What happens to inputs after that.
        target_transforms: What happens to targets after that.
        input_path: Inputs of the training set; no training without it.
        target_path: Targets of the training set, unless they are `labels`.
        test_input_path: Inputs of the test set; no evaluation without it.
        test_target_path: Targets of the test set; without it and without `labels`, the network only predicts.
        batch_size: Training samples per step, over all processes.
        test_batch_size: Test samples per step, over all processes.
        preload: Reads all samples into memory first.
        target_is_mask: Pixels of target images are classes: geometric transforms take the nearest. They are scaled to
            [0, 1] as all pixels; `target_transforms` of `{"normalize": {"std": 0.003921568}}` gives class indices back.
        shuffle: Draws the order of the training samples anew in every `epoch`, or only `once`.
        num_workers: Processes that read ahead for each process of the run; 0 reads when a batch is wanted.

    Raises:
        ConfigError: Training has no targets.
        DataError: A set is missing, unreadable or inconsistent.
    """
    opening = _Opening(
        inputs, targets, transforms, input_transforms, target_transforms, preload=preload, mask=target_is_mask
    )
    train = opening.open("train", input_path, target_path)
    test = opening.open("test", test_input_path, test_target_path, train)
    return Data(train, test, batch_size, test_batch_size, shuffle, num_workers)


@dataclass(frozen=True)
class _Opening:
    """Opens sets."""

    inputs: OpenSource
    targets: OpenSource | None
    shared: Sequence[Transform]
    own_inputs: Sequence[Transform]
    own_targets: Sequence[Transform]
    preload: bool
    mask: bool

    def open(self, which: Which, path: str | None, target: str | None, train: Dataset | None = None) -> Dataset | None:
        if path is None:
            return None
        inputs = self._side(self.inputs, Side(which, "input", path))
        if inputs is None:
            raise ConfigError(Problem("data.input_type", "cannot be opened from a path"))
        targets = None
        if self.targets is not None:
            training = train.targets.source if train and train.targets else None
            targets = self._side(self.targets, Side(which, "target", target, inputs.source, training))
            if targets is None and which == "train":
                raise ConfigError(Problem("data.target_path", "is missing; training needs the targets that lie there"))
        transforms = [*self.shared, *self.own_inputs, *self.own_targets]
        active = [(item.name, str(item)) for item in transforms if _acts(item, which)]
        return Dataset(inputs, targets, active)

    def _side(self, opener: OpenSource, side: Side) -> Pipeline | None:
        source = opener(side)
        if source is None:
            return None
        shared = list(enumerate(self.shared))
        if side.role == "input":
            numbered = shared + list(enumerate(self.own_inputs, len(shared)))
        else:
            numbered = shared + list(enumerate(self.own_targets, len(shared) + len(self.own_inputs)))
        affine = Affine()
        steps = []
        for position, transform in numbered:
            if isinstance(transform, BatchTransform):
                affine = transform.affine.after(affine)
            elif _acts(transform, side.which):
                steps.append((position, transform))
        part = Part(side.role, mask=self.mask and side.role == "target")
        pipeline = Pipeline(source, part, steps if source.pixels else (), affine)
        if self.preload and source.encoded_bytes(limit=0):
            _log.info(f"Pre-loading {side.words} {side.role} {source.noun}...")
            return in_memory(pipeline)
        return pipeline


def _acts(transform: Transform, which: Which) -> bool:
    return which == "train" or isinstance(transform, BatchTransform) or not transform.training_only
