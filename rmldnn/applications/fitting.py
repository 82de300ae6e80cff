"""Whether data and network go together, before the first step."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from rmldnn.compiler import without_compiler
from rmldnn.component import show
from rmldnn.config import catalog
from rmldnn.data.loader import Loader
from rmldnn.data.sets import Dataset
from rmldnn.data.transforms.geometric import in_words
from rmldnn.errors import ConfigError, DataError, NetworkError, Problem, RmldnnError
from rmldnn.losses.equation import TargetError
from rmldnn.losses.reduction import alone
from rmldnn.networks.layout import tensor_shape
from rmldnn.networks.network import Network
from rmldnn.steps import Batch

log = logging.getLogger("rmldnn")

_LOOKED_AT = 3
"""Samples of a set whose targets are looked at."""
_SMALL = 2**22
"""Numbers of an output that are worth no thought; larger ones are judged by their shape alone."""


def require_trainable(network: nn.Module, section: str = "layers") -> None:
    """Refuses a network that cannot learn.

    Raises:
        NetworkError: No parameter is to be learned.
    """
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise NetworkError(Problem(section, "nothing can be trained: no layer has parameters with `trainable`: true"))


def require_targets(model: Network, loss: Callable[..., Any] | None, loader: Loader) -> int:
    """Asks the loss whether it can take outputs of the network's shape with the targets of some samples.

    Args:
        model: The network.
        loss: The loss; None takes everything.
        loader: A set.

    Returns:
        How many samples were looked at.

    Raises:
        ConfigError: The loss refuses; the message names the target.
    """
    dataset = loader.dataset
    if loss is None or dataset.targets is None or len(model.output_shapes) > 1:
        return 0
    count = 0
    for sample in loader.some(_LOOKED_AT):
        shape = _output_shape(model, sample.inputs)
        if shape is None:
            return 0
        try:
            with without_compiler(), torch.no_grad():
                output = torch.zeros(shape, device="cpu" if prod(shape) <= _SMALL else "meta")
                value = loss(output, sample.targets, alone)
            if not isinstance(value, Tensor) or value.ndim:
                got = f"a tensor of {list(value.shape)}" if isinstance(value, Tensor) else show(value)
                message = f"must return one number for a batch, a tensor without axes, got {got}; take its mean"
                raise ConfigError(Problem("loss", message))
        except TargetError as error:
            raise error.named([dataset.targets.source.locate(dataset.names.index(sample.names[0]))]) from error
        except ConfigError as error:
            place = dataset.targets.source.locate(dataset.names.index(sample.names[0]))
            raise type(error)(
                [replace(fault, message=f"{fault.message} (seen in `{place}`)") for fault in error.problems]
            ) from error
        except RmldnnError:
            raise
        except Exception as error:  # of a loss that needs more than shapes: its own step will tell what it needs
            if prod(shape) <= _SMALL and (line := catalog.own_line(error)):
                got = f"an output of {list(shape)} and targets {_seen(sample.targets)}"
                raise ConfigError(Problem("loss", f"{type(error).__name__}: {error}; it got {got}", line)) from error
            log.debug("the loss cannot be tried: %s", error)
            return 0
        count += 1
    return count


def _seen(targets: Any) -> str:
    return f"of {list(targets.shape)}, {targets.dtype}" if isinstance(targets, Tensor) else show(targets)


def _output_shape(model: Network, inputs: Tensor) -> tuple[int, ...] | None:
    """The shape of the output for a batch, found without computing anything; None if that cannot be told."""
    own = tuple(model.output_shapes[0][1:])
    known = [extent for extent in (own if model.channels_first else tensor_shape(own)) if extent is not None]
    if len(known) == len(own):
        return len(inputs), *known
    try:
        return _through(model, inputs)
    except RuntimeError:  # of which NotImplementedError is one
        return None


def _through(model: Network, inputs: Tensor) -> tuple[int, ...] | None:
    """The shape of what comes out of a network, in which nothing is computed; None if ZeRO has taken it to pieces.

    Raises:
        RuntimeError: It does not take such inputs, or torch cannot tell.
    """
    if any(hasattr(parameter, "ds_shape") for parameter in model.parameters()):
        return None
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    empty = {name: torch.empty(tensor.shape, dtype=tensor.dtype, device="meta") for name, tensor in tensors.items()}
    mode = model.training
    try:
        with without_compiler(), torch.no_grad():
            output = torch.func.functional_call(model.eval(), empty, (inputs.to("meta"),))
    finally:
        model.train(mode)
    return tuple(output.shape)


_APART = re.compile("Sizes of tensors must match|must match the size|broadcast")
"""What torch says where tensors of different extents come together."""
_GONE = re.compile("Output size is too small|Kernel size can't be greater than actual input size")
"""What it says where nothing is left of an extent."""
_STEPS = (2, 4, 8, 16, 32, 64)


def require_passage(model: Network, inputs: Tensor, path: str) -> None:
    """Refuses samples that a network without fixed extents halves to extents that do not meet again.

    Args:
        model: The network.
        inputs: A batch (n, C, *spatial).
        path: What of the configuration says so.

    Raises:
        NetworkError: Somewhere in the network tensors of different extents come together; says which extents do pass.
    """
    if None not in model.input_shapes[0][1:]:
        return
    try:
        _through(model, inputs)
        return
    except NotImplementedError:
        return
    except RuntimeError as error:
        why = str(error)
    if _APART.search(why):
        reason = "where its branches meet, extents differ, since odd ones cannot be halved"
    elif _GONE.search(why):
        reason = "they are halved until nothing is left of them"
    else:
        return  # a step will tell it better
    extent = tuple(inputs.shape[2:])
    near = [tuple(math.ceil(size / step) * step for size in extent) for step in _STEPS]
    passing = next((size for size in near if _passes(model, inputs, size)), None)
    remedy = f"{in_words(passing)} pass, by `resize`" if passing else "multiples of 2, 4, 8, ... pass, by `resize`"
    message = f"samples of {in_words(extent)} do not pass through the network: {reason}; {remedy}"
    raise NetworkError(Problem(path, message))


def _passes(model: Network, inputs: Tensor, extent: tuple[int, ...]) -> bool:
    try:
        _through(model, inputs.new_empty((*inputs.shape[:2], *extent)))
    except RuntimeError:  # of which NotImplementedError is one
        return False
    return True


def require_fit(model: Network, loader: Loader, section: str) -> None:
    """Refuses samples that the network cannot take, class maps that do not lie on its output, and further classes.

    Args:
        model: The network.
        loader: A set.
        section: What of the configuration says what the network is.

    Raises:
        NetworkError: Samples or classes do not go with the network.
        DataError: Class maps do not go with its output.
    """
    if len(model.output_shapes) > 1:
        raise NetworkError(Problem(section, f"the network has {len(model.output_shapes)} outputs; a run takes one"))
    for sample in loader.samples():
        arrays = loader.dataset.inputs.source.meaning == "values"
        model.check_input(sample.inputs.shape, arrays=arrays, sizes=loader.dataset.sizes, path=section)
        require_passage(model, sample.inputs, section)
        _require_map(model, loader.dataset, sample)
    classes, outputs = loader.dataset.classes, model.output_shapes[0][1 if model.channels_first else -1]
    if classes and outputs is not None and 1 < outputs < len(classes):
        names = ", ".join(classes[:4]) + (", ..." if len(classes) > 4 else "")
        message = f"the network has {outputs} outputs for {len(classes)} classes ({names}); give it one for each"
        raise NetworkError(Problem(section, message))
    if classes and outputs is not None and outputs > max(2, len(classes)):
        log.warning(
            f"the network has {outputs} outputs, but there are {len(classes)} classes, numbered in this order: "
            + ", ".join(classes)
        )
    values = getattr(loader.dataset.targets.source, "num_classes", 0) if loader.dataset.targets else 0
    if values and outputs is not None and outputs > max(2, values):
        log.warning(
            f"the network has {outputs} outputs, but the masks have {values} classes (`values`); a class that occurs "
            "nowhere counts as right in the accuracy of a segmentation"
        )


def _require_map(model: Network, dataset: Dataset, sample: Batch) -> None:
    """Refuses a class map of another extent than the output, where that is known."""
    shape, targets = model.output_shapes[0][1:], dataset.targets
    known = shape[1:] if model.channels_first else shape[:-1]
    if targets is None or targets.source.meaning != "classes" or sample.targets is None or None in known:
        return
    extent, wanted = tuple(sample.targets.shape[1:]), tuple(size for size in known if size is not None)
    if extent and len(extent) == len(wanted) and extent != wanted:
        place = targets.source.locate(dataset.names.index(sample.names[0]))
        raise DataError(
            f"{place}: this map of classes is {in_words(extent)}, but the network's output is {in_words(wanted)}; "
            "bring inputs and targets to one size by a `resize` in `transforms`, or take a network that keeps it"
        )
