"""Whether data and network go together, before the first step."""

from __future__ import annotations

import logging

from rmldnn.data.loader import Loader
from rmldnn.data.sets import Dataset
from rmldnn.data.transforms.geometric import in_words
from rmldnn.errors import DataError, NetworkError, Problem
from rmldnn.networks.network import Network
from rmldnn.steps import Batch

log = logging.getLogger("rmldnn")


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
        model.check_input(sample.inputs.shape, arrays=arrays, path=section)
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
