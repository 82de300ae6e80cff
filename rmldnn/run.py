"""One run, on one screen: compose, check, instantiate, then let the engine's steps flow to the outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Literal

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from rmldnn.component import component
from rmldnn.config import catalog, translate
from rmldnn.config.spec import Spec
from rmldnn.data import summary
from rmldnn.data.loader import Loader
from rmldnn.engine.interface import Engine, open_engine
from rmldnn.engine.loop import evaluate, fit
from rmldnn.engine.ranks import Ranks
from rmldnn.errors import NetworkError, Problem, RmldnnError
from rmldnn.networks.compile import Network, network
from rmldnn.output.console import Console, Consumer, open_console
from rmldnn.output.outfile import Outfile
from rmldnn.output.rows import Group, Rows, component_rows
from rmldnn.steps import Step
from rmldnn.tasks.supervised import Supervised
from rmldnn.types import Count, Index, Path


def main(
    loaded: Spec,
    overrides: Sequence[str],
    ranks: Ranks,
    *,
    lenient: bool = False,
    console: Literal["auto", "plain", "rich"] = "auto",
) -> None:
    """Composes a configuration, and runs it in this process and with the others.

    Args:
        loaded: The configuration file.
        overrides: Changes to it, `key=value`.
        ranks: Who this process is among how many.
        lenient: Unknown keys of layers are warnings.
        console: How to speak.

    Raises:
        RmldnnError: Whatever a user can mend; see `rmldnn.errors`.
    """
    with ranks.one_voice():
        config, notices = translate.compose(loaded, overrides)
    with ExitStack() as stack:
        screen = open_console(console if ranks.rank == 0 else "silent")
        stack.callback(screen.close)
        engine = stack.enter_context(open_engine(ranks))
        screen.header(ranks.world)
        for problem in [*loaded.warnings, *notices]:
            screen.text(f"Warning: {problem}")
        keys = {key: config[key] for key in catalog.only("job").parameters}
        run(config, engine, screen, ranks, lenient, **keys)


@component("run")
def run(
    config: Mapping[str, Any],
    engine: Engine,
    console: Console,
    lenient: bool = False,
    *,
    num_epochs: Count = 1,
    outfile: Path | None = None,
    seed: Index = 0,
) -> None:
    """Trains, evaluates or predicts, as the composed configuration says.

    Args:
        config: The composed configuration.
        engine: Where and with whom to compute.
        console: Who tells people about it.
        lenient: Unknown keys of layers are warnings.
        num_epochs: Passes over the training data.
        outfile: Base name of two log files: `out.txt` gives `out_train.txt` and `out_test.txt`; none without it.
        seed: Seed of the initial weights, the order of the samples and the dropout.
    """
    console.section("Device(s)", [(device, "") for device in engine.devices])
    if engine.world > 1:
        console.section("Gradient reducer", [("Type", "DeepSpeed")])

    torch.manual_seed(seed)
    model = network(lenient, layers=config["layers"])
    console.section("Neural Network", _network_rows(model))
    nodes = translate.job(dict(config))
    parts = {name: _instantiate(node) for name, node in nodes.items() if name != "data"}
    parts["checkpoints"].load_into(model)
    engine.place(model)
    torch.manual_seed(seed + 1 + engine.rank)  # each process drops out other units

    optimizer, scheduler = None, None
    training = config["data"].get("input_path") is not None
    if training:
        trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = parts["optimizer"](trainable)
        console.section("Optimizer", _rows("optimizer", config["optimizer"]), footer=False)
        if parts["scheduler"] is not None:
            scheduler = parts["scheduler"](optimizer)
            console.section(
                "Learning rate scheduler", _rows("scheduler", config["optimizer"]["lr_scheduler"]), footer=False
            )
    if parts["loss"] is not None:
        console.section("Loss", _rows("loss", config["loss"]))

    data = _instantiate(nodes["data"])
    loaders = {
        which: data.loader(which, rank=engine.rank, world=engine.world, seed=seed)
        for which in ("train", "test")
        if getattr(data, which) is not None
    }
    for loader in loaders.values():
        _require_fit(model, loader)
    outputs: list[Consumer] = [console]
    predictions = parts["predictions"]
    if engine.rank == 0:
        outputs += [predictions, parts["checkpoints"].saver(model)]
        if outfile is not None:
            outputs.append(Outfile(outfile, train=training, test="test" in loaders))
    console.section("Dataset", _dataset_rows(loaders, engine.world, predictions.rows))

    task = Supervised(parts["loss"])
    wanted = bool(predictions.rows)
    steps: Iterator[Step]
    if training:
        assert optimizer is not None  # noqa: S101 - the configuration was checked for one
        steps = fit(engine, task, model, optimizer, scheduler, loaders["train"], loaders.get("test"), num_epochs, wanted)
    else:
        steps = evaluate(engine, task, model, loaders["test"], wanted)
    with ExitStack() as stack:
        for output in outputs[1:]:
            stack.callback(output.close)
        for step in steps:
            for output in outputs:
                output.consume(step)
    console.finish([path for output in outputs for path in getattr(output, "outputs", ())])


def _require_fit(model: Network, loader: Loader) -> None:
    """Refuses samples that the network cannot take, and classes that it has no outputs for."""
    sample = loader.sample()
    model.check_input(sample.inputs.shape)
    classes, outputs = loader.dataset.classes, model.output_shapes[0][-1]
    if classes and outputs is not None and 1 < outputs < len(classes):
        names = ", ".join(classes[:4]) + (", ..." if len(classes) > 4 else "")
        message = f"the network has {outputs} outputs for {len(classes)} classes ({names}); change its last layer"
        raise NetworkError(Problem("layers", message))


def _network_rows(model: Network) -> Rows:
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return [
        ("Model name", model.title),
        ("Total parameters", sum(count for count, _ in counts)),
        ("Trainable parameters", sum(count for count, trainable in counts if trainable)),
        ("Num of operations", model.num_operations),
    ]


def _dataset_rows(loaders: Mapping[str, Loader], world: int, predictions: Rows) -> Rows:
    rows: list[tuple[str, object]] = []
    for which, title in (("train", "Training dataset"), ("test", "Test dataset")):
        if which in loaders:
            loader = loaders[which]
            inner: list[tuple[str, object]] = list(summary.rows(loader.dataset, loader.batch_size, world))
            if loader.dataset.transforms:
                inner.append(("Transforms", Group(loader.dataset.transforms)))
            if which == "test" and predictions:
                inner.append(("Inference output", Group(predictions)))
            rows.append((title, Group(inner)))
    return rows


def _rows(group: str, values: Mapping[str, Any]) -> Rows:
    """How the log describes the component that a section names."""
    head: Literal["Type", "Function"] = "Function" if group == "loss" else "Type"
    form = catalog.find(group, values[head.lower()])
    assert form is not None  # noqa: S101 - the configuration was checked
    shown = {key: values[key] for key in form.parameters if not (key == "source" and values[key] is None)}
    return component_rows(head, form.title, {key: str(v) if key == "verbose" else v for key, v in shown.items()})


def _instantiate(node: Mapping[str, Any] | None) -> Any:
    """Makes the object of a node; an error of a component comes out as itself, not wrapped by Hydra."""
    try:
        return node and instantiate(node, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, (RmldnnError, ImportError)):
            raise error.__cause__ from None
        raise
