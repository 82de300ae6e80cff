"""The data of a run: a training set, a test set, or both."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from rmldnn.component import component
from rmldnn.data.affine import Affine
from rmldnn.data.cache import on_disk
from rmldnn.data.doubts import taken_for_pictures
from rmldnn.data.loader import Loader, automatic_workers
from rmldnn.data.pipeline import Compared, Pipeline
from rmldnn.data.preload import arrays_in_memory, in_memory
from rmldnn.data.sets import Dataset
from rmldnn.data.slicer import Slicer
from rmldnn.data.slices import Sliced, sliced
from rmldnn.data.source import OpenSource, Side, Source, Which
from rmldnn.data.transform import BatchTransform, MixTransform, Part, Transform
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Count, Index, Path

_log = logging.getLogger("rmldnn")

CACHE = ".rmldnn_cache"
"""The folder in the working directory that `cache` fills."""


@dataclass(frozen=True)
class Data:
    """The sets of a run, and how they are cut into batches.

    Args:
        train: The training set, None if nothing is trained.
        test: The test set, None if nothing is evaluated or predicted.
        batch_size: Samples of a training batch, over all processes; `auto` if that is yet to be found out.
        test_batch_size: Samples of a test batch, over all processes.
        shuffle: Whether the order of the training samples is drawn anew in every epoch.
        num_workers: Worker processes of a loader.
        skip_bad: Whether samples that cannot be read are left out.
    """

    train: Dataset | None
    test: Dataset | None
    batch_size: int | Literal["auto"]
    test_batch_size: int
    shuffle: Literal["epoch", "once"]
    num_workers: int | Literal["auto"]
    skip_bad: bool = False

    def loader(
        self,
        which: Which,
        *,
        rank: int = 0,
        world: int = 1,
        seed: int = 0,
        cores: int | None = None,
        device: torch.device | None = None,
    ) -> Loader:
        """The batches of one set, as one process of a run sees them.

        Args:
            which: The set, which must be there.
            rank: Number of the process.
            world: Number of processes.
            seed: Of the order and of random transforms; the same in all processes.
            cores: Cores for this process and its workers; all that it may use by default.
            device: Where batches are wanted; the CPU by default.
        """
        dataset = self.train if which == "train" else self.test
        if dataset is None:
            raise ValueError(f"the data of this run has no {'training' if which == 'train' else 'test'} set")
        auto = self.num_workers == "auto"
        return Loader(
            dataset,
            (1 if self.batch_size == "auto" else self.batch_size) if which == "train" else self.test_batch_size,
            shuffle=self.shuffle if which == "train" else "never",
            seed=seed,
            rank=rank,
            world=world,
            num_workers=automatic_workers(dataset, cores) if auto else int(self.num_workers),
            device=device or torch.device("cpu"),
            skip_bad=self.skip_bad,
        )


@component("data")
def data(
    inputs: OpenSource,
    targets: OpenSource | None = None,
    transforms: Sequence[Transform] = (),
    input_transforms: Sequence[Transform] = (),
    target_transforms: Sequence[Transform] = (),
    slicers: Sequence[Slicer] = (),
    *,
    input_path: Path | None = None,
    target_path: Path | None = None,
    test_input_path: Path | None = None,
    test_target_path: Path | None = None,
    batch_size: Count | Literal["auto"] = 64,
    test_batch_size: Count = 64,
    preload: bool = False,
    cache: bool = False,
    target_is_mask: bool = False,
    shuffle: Literal["epoch", "once"] = "epoch",
    num_workers: Index | Literal["auto"] = "auto",
    on_bad_sample: Literal["error", "skip"] = "error",
) -> Data:
    """Opens the training set and the test set.

    Args:
        inputs: Opens inputs: a source component with the user's keys filled in.
        targets: Opens targets; None if there are none.
        transforms: What happens to inputs and targets.
        input_transforms: What happens to inputs after that.
        target_transforms: What happens to targets after that.
        slicers: How arrays are cut into samples; whole arrays are samples without them.
        input_path: Inputs of the training set; no training without it.
        target_path: Targets of the training set, unless they are `labels`.
        test_input_path: Inputs of the test set; no evaluation without it.
        test_target_path: Targets of the test set; without it and without `labels`, the network only predicts.
        batch_size: Training samples per step, over all processes; `auto` tries which one suits the memory and is worth
            its size.
        test_batch_size: Test samples per step, over all processes.
        preload: Reads all samples into memory first; with slicers, the arrays that are cut.
        cache: Keeps decoded samples in a file below `.rmldnn_cache` in the working directory, for data that does not
            fit into memory; the file is used again as long as data and transforms stay the same. Slices are read from
            their arrays all the same.
        target_is_mask: Pixels of target images are classes: geometric transforms take the nearest. They are scaled to
            [0, 1] as all pixels; `target_transforms` of `{"normalize": {"std": 0.003921568}}` gives class indices back.
            Targets of type `masks` need neither.
        shuffle: Draws the order of the training samples anew in every `epoch`, or only `once`.
        num_workers: Processes that read ahead for each process of the run; 0 reads when a batch is wanted.
        on_bad_sample: Stops at a sample that cannot be read (`error`), or leaves it out, counts it, and lists it at
            the end (`skip`).

    Raises:
        ConfigError: Training has no targets, or slicers are given for what cannot be sliced.
        DataError: A set is missing, unreadable or inconsistent.
    """
    for key, own in (("input_transforms", input_transforms), ("target_transforms", target_transforms)):
        if mixing := next((item.name for item in own if isinstance(item, MixTransform)), None):
            message = f"`{mixing}` mixes inputs and targets alike; put it into `transforms`"
            raise ConfigError(Problem(f"data.{key}", message))
    opening = _Opening(
        inputs,
        targets,
        transforms,
        input_transforms,
        target_transforms,
        slicers,
        keep="memory" if preload else "disk" if cache else None,
        mask=target_is_mask,
        skip_bad=on_bad_sample == "skip",
    )
    train = opening.open("train", input_path, target_path)
    test = opening.open("test", test_input_path, test_target_path, train)
    return Data(train, test, batch_size, test_batch_size, shuffle, num_workers, skip_bad=on_bad_sample == "skip")


@dataclass(frozen=True)
class _Opening:
    """Opens sets."""

    inputs: OpenSource
    targets: OpenSource | None
    shared: Sequence[Transform]
    own_inputs: Sequence[Transform]
    own_targets: Sequence[Transform]
    slicers: Sequence[Slicer]
    keep: Literal["memory", "disk"] | None
    mask: bool
    skip_bad: bool

    def open(self, which: Which, path: str | None, target: str | None, train: Dataset | None = None) -> Dataset | None:
        skip_bad = self.skip_bad and not self.slicers  # which must know all extents
        inputs = self.inputs(Side(which, "input", path, skip_bad=skip_bad))
        if inputs is None:
            return None
        of_input = Part("input", mask=inputs.meaning == "classes")
        first = None if self.slicers else self._pipeline(inputs, of_input, which)
        targets = None
        if self.targets is not None:
            training = train.targets.source if train and train.targets else None
            targets = self.targets(Side(which, "target", target, inputs, training, skip_bad))
            if targets is None and which == "train":
                raise ConfigError(Problem("data.target_path", "is missing; training needs the targets that lie there"))
        cut = sliced(inputs, targets, self.slicers) if self.slicers else None
        if cut is not None:
            inputs, targets = cut
            self._keep_arrays(cut, which)
        mixing = list(enumerate(self.shared)) if which == "train" else []
        transforms = [*self.shared, *self.own_inputs, *self.own_targets]
        of_target = Part("target", mask=self.mask or (targets is not None and targets.meaning == "classes"))
        made = Dataset(
            first or self._pipeline(inputs, of_input, which),
            self._pipeline(targets, of_target, which) if targets is not None else None,
            [(item.name, str(item)) for item in transforms if _acts(item, which)],
            [(position, item) for position, item in mixing if isinstance(item, MixTransform)],
            cut[0] if cut else None,
        )
        if made.targets is not None and train is None and (doubt := taken_for_pictures(made.targets)):
            _log.warning(f"data.target_type: {doubt}")
        return made

    def _pipeline(self, source: Source, part: Part, which: Which) -> Pipeline:
        shared = list(enumerate(self.shared))
        if part.role == "input":
            numbered = shared + list(enumerate(self.own_inputs, len(shared)))
        else:
            numbered = shared + list(enumerate(self.own_targets, len(shared) + len(self.own_inputs)))
        affine = Affine()
        steps = []
        for position, transform in numbered:
            if isinstance(transform, BatchTransform):
                affine = transform.affine.after(affine)
            elif not isinstance(transform, MixTransform) and _acts(transform, which):
                steps.append((position, transform))
        compared = next(
            (step for step in shared if getattr(step[1], "whole_pixels", False) and _acts(step[1], which)), None
        )
        named = compared and Compared(compared[0], compared[1].name)
        pipeline = Pipeline(source, part, steps, affine, named)
        if self.keep is None or isinstance(source, Sliced) or not source.encoded_bytes(limit=0):
            return pipeline
        words = "training" if which == "train" else "test"
        if self.keep == "memory":
            _log.info(f"Pre-loading {words} {part.role} {source.noun}...")
            return in_memory(pipeline, skip_bad=self.skip_bad)
        _log.info(f"Caching {words} {part.role} {source.noun}...")
        return on_disk(pipeline, CACHE, words, skip_bad=self.skip_bad)

    def _keep_arrays(self, cut: Sequence[Sliced | None], which: Which) -> None:
        """Reads the arrays that slices are cut out of, not the slices, which may overlap many times."""
        if self.keep == "disk":
            _log.info("Nothing to cache: slices are read from arrays, which are in files already")
        for role, slices in zip(("input", "target"), cut, strict=True):
            if slices is not None and self.keep == "memory":
                _log.info(f"Pre-loading {'training' if which == 'train' else 'test'} {role} arrays...")
                slices.arrays = arrays_in_memory(slices.arrays, skip_bad=self.skip_bad)


def _acts(transform: Transform, which: Which) -> bool:
    """Whether a transform changes the samples of a set."""
    if isinstance(transform, MixTransform):
        return which == "train"
    return which == "train" or isinstance(transform, BatchTransform) or not transform.training_only
