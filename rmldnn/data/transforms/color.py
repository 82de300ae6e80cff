"""Conversion between colour spaces."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar, Literal

import cv2
import numpy as np

from rmldnn.component import component, near_miss
from rmldnn.data.transform import Boxes, Part, Sample
from rmldnn.data.transforms.sampling import with_channels
from rmldnn.errors import ConfigError, DataError, Problem

_PREFIX = "COLOR_"


@dataclass(frozen=True)
class ConvertColor:
    """Converts colours as OpenCV does; see `FixedTransform`.

    Args:
        code: OpenCV's name without its prefix.
    """

    code: str

    name: ClassVar[str] = "convert_color"
    random: ClassVar[Literal[False]] = False
    training_only: ClassVar[bool] = False

    def __call__(self, sample: Sample, part: Part) -> Sample:
        """The converted sample, slice by slice for volumes; masks and boxes as they are.

        Raises:
            DataError: OpenCV does not convert such channels.
        """
        if isinstance(sample, Boxes) or part.mask:
            return sample
        picture = np.ascontiguousarray(sample.reshape(-1, *sample.shape[-2:]))
        try:
            converted = with_channels(cv2.cvtColor(picture, _codes()[self.code.upper()][1]))
        except cv2.error as error:
            raise DataError(
                f"`{self.name}` cannot apply {self.code} to a sample of {sample.shape[-1]} "
                f"channel{'s' if sample.shape[-1] != 1 else ''} of type {sample.dtype}; images have 3 channels of 8 or "
                "16 bits without `grayscale`"
            ) from error
        if converted.shape[:-1] != picture.shape[:-1]:
            return converted
        return converted.reshape(*sample.shape[:-1], converted.shape[-1])

    def __str__(self) -> str:
        return self.code


@component("convert_color")
def convert_color(*, code: str) -> ConvertColor:
    """Converts colours; masks stay as they are.

    Args:
        code: A conversion of OpenCV without its prefix `COLOR_`: `BGR2RGB`, `BGR2HSV`, `RGB2GRAY`.

    Raises:
        ConfigError: OpenCV knows no such conversion.
    """
    name = code.upper().removeprefix(_PREFIX)
    if name not in _codes():
        names = (known for known, _ in _codes().values())
        message = f"there is no conversion `{code}` in OpenCV{near_miss(name, names)}"
        raise ConfigError(Problem("data.transforms.convert_color", message))
    return ConvertColor(_codes()[name][0])


@functools.cache
def _codes() -> dict[str, tuple[str, int]]:
    """OpenCV's names and codes, by upper-case name."""
    names = (name.removeprefix(_PREFIX) for name in dir(cv2) if name.startswith(_PREFIX))
    return {name.upper(): (name, getattr(cv2, _PREFIX + name)) for name in names}
