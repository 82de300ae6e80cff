"""One run: compose, check, instantiate, then let the engine's steps flow to the outputs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path as Folder
from typing import Any, Literal

import torch

from rmldnn import assembling, training
from rmldnn.applications.application import Application, source
from rmldnn.applications.levels import shrink
from rmldnn.compiler import without_compiler
from rmldnn.component import component
from rmldnn.config import catalog, translate
from rmldnn.config.instantiate import instantiate
from rmldnn.config.samples import trains
from rmldnn.config.spec import Spec
from rmldnn.data.dataset import Data
from rmldnn.data.loader import Loader
from rmldnn.engine.agreement import Unsaved
from rmldnn.engine.evaluation import evaluate
from rmldnn.engine.interface import Engine, open_engine
from rmldnn.engine.leaving import Leave
from rmldnn.engine.multigrid import Multigrid
from rmldnn.engine.ranks import Ranks
from rmldnn.errors import RmldnnError
from rmldnn.networks.drawing import draw
from rmldnn.networks.network import Network
from rmldnn.output.console import Console, Consumer, open_console
from rmldnn.output.outfile import Outfile
from rmldnn.output.placing import placed
from rmldnn.sections import chosen_rows, dataset_rows, learning_sections, network_rows
from rmldnn.sessions import open_session
from rmldnn.steps import EvalEnd, Step
from rmldnn.types import Count, Index, Path

log = logging.getLogger("rmldnn")

_SHOWN = 100
"""Samples that were left out, of which each is told."""


def main(
    loaded: Spec,
    overrides: Sequence[str],
    ranks: Ranks,
    *,
    lenient: bool = False,
    console: Literal["auto", "plain", "rich"] = "auto",
    timeout: float = 120.0,
) -> None:
    """Composes a configuration, and runs it in this process and with the others.

    Args:
        loaded: The configuration file.
        overrides: Changes to it, `key=value`.
        ranks: Who this process is among how many.
        lenient: Unknown keys of layers are warnings.
        console: How to speak.
        timeout: Seconds to wait for a sign of life from the other processes.

    Raises:
        RmldnnError: Whatever a user can mend; see `rmldnn.errors`.
    """
    with ranks.one_voice():
        composed = translate.compose(loaded, overrides)
    config = composed.values
    with ExitStack() as stack:
        screen = open_console("silent" if ranks.rank else "plain" if ranks.launched and console == "auto" else console)
        stack.callback(screen.close)
        stack.enter_context(composed.places())
        zero = instantiate(translate.job(config)["engine"])
        engine = stack.enter_context(open_engine(ranks, zero, timeout=timeout))
        stack.enter_context(without_compiler())
        leave = Leave()
        with engine.understood():  # before the run folder notes how the run ended
            screen.header(ranks.world)
            for problem in [*loaded.warnings, *composed.notices]:
                screen.text(f"Warning: {problem}")
            keys = {key: config[key] for key in catalog.only("job").parameters if key in config}
            with ranks.one_voice():
                steps, outputs = run(config, engine, screen, leave, stack, loaded.document.name, lenient, **keys)
            for output in outputs:
                stack.callback(output.close)  # twice is once
            stack.enter_context(leave)
            for step in steps:
                for output in outputs:
                    output.consume(step)
            for output in outputs:
                if output is not screen:
                    output.close()
            screen.finish([path for output in outputs for path in getattr(output, "outputs", ())])


@component("run")
def run(
    config: Mapping[str, Any],
    engine: Engine,
    console: Console,
    leave: Leave,
    stack: ExitStack,
    file: str = "config.json",
    lenient: bool = False,
    *,
    num_epochs: Count = 1,
    outfile: Path | None = None,
    run_folder: Path | None = None,
    seed: Index = 0,
    debug: bool = False,
    debug_interval: Count = 1,  # noqa: ARG001 - of the original; a network is drawn once
) -> tuple[Iterator[Step], list[Consumer]]:
    """Makes everything that the composed configuration names, and describes it.

    Args:
        config: The composed configuration.
        engine: Where and with whom to compute.
        console: Who tells people about it.
        leave: Whether the run is to leave.
        stack: What ends with the run.
        file: The configuration file.
        lenient: Unknown keys of layers are warnings.
        num_epochs: Passes over the training data.
        outfile: Base name of two log files: `out.txt` gives `out_train.txt` and `out_test.txt`; none without it.
        run_folder: Folder of a training: history, states to go on from, and how it was made; `runs/<name of the
            configuration file>` by default, with a number behind it if there is one already. In the places of outputs,
            such as `outfile`, it is called `{run_folder}`.
        seed: Seed of the initial weights, the order of the samples and the dropout.
        debug: Whether a drawing of the network is written into the working directory: `<name of the network>.dot` for
            GraphViz, and `.svg` where that is installed.
        debug_interval: Accepted for files of the original; the network is drawn once.

    Returns:
        The steps of the run, yet to be taken, and who wants to see them in this process.
    """
    trained = trains(config["data"])
    session = None
    if trained:
        session = open_session(engine, stack, config, run_folder=run_folder, file=file, seed=seed, lenient=lenient)
    config = placed(config, session.folder if session is not None else None)
    nodes = translate.job(config)
    zero = instantiate(nodes["engine"])
    compute = zero.precise(instantiate(nodes["compute"])).on(engine.device, training=trained)
    processes = [("Processes", engine.placement)] if engine.placement else []
    console.section("Device(s)", [*((device, "") for device in engine.devices), *processes])
    if engine.world > 1 or zero.wanted:
        console.section("Gradient reducer", [("Type", "DeepSpeed"), *zero.rows()])
    console.section("Computation", compute.rows())
    torch.manual_seed(seed)
    application: Application = instantiate(nodes["task"])
    model = application.network(config, nodes, lenient=lenient)
    console.section("Neural Network", network_rows(model))
    if debug and engine.rank == 0:
        _draw(model)

    checkpoints = instantiate(nodes["checkpoints"])
    known = checkpoints.load_into(model, config.get("layers"))
    if not trained and not known and any(True for _ in model.parameters()):
        log.warning(
            "nothing is trained here, and no weights are loaded: those of the network are random; name a file of "
            "others by `checkpoints.load`"
        )
    engine.place(model)
    grid: Multigrid | None = instantiate(nodes["multigrid"]) if trained else None
    if grid is not None:
        num_epochs = grid.require_epochs(num_epochs)
    if trained:
        learns, terms = training.learner(engine, application, model, config, nodes, compute, num_epochs, grid)
        for title, rows in learning_sections(config["optimizer"]):
            console.section(title, rows, footer=False)
    loss = application.loss(model, nodes)
    for keys in translate.listed(config.get("loss")):
        console.section("Loss", chosen_rows("loss", keys, source(model)))

    task = application.task(model, loss)
    data = instantiate(nodes["data"])
    if data.batch_size == "auto" and data.train is not None:
        state = session.state if session is not None else None
        data = replace(data, batch_size=training.batch_size(engine, task, model, compute, data, state))
    loaders = _loaders(data, engine, seed)
    for loader in loaders.values():
        application.require_fit(model, loader, "network" if nodes["network"] else "layers")
        application.require_targets(model, loss, loader)
    if grid is not None:
        shrink(grid, model, loaders.values(), nodes=application.nodes)
    test = loaders.get("test")
    outputs: list[Consumer] = [console]
    predictions = instantiate(nodes["predictions"])
    epochs = num_epochs if trained and not config.get("early_stopping") else 1  # that are certain to come
    updates = epochs * len(loaders["train"]) if trained else 0
    if engine.rank == 0:
        folder = session.folder if session is not None else None
        outputs += application.writers(predictions, model, test, epochs, folder)
        if outfile is not None:
            measured = test is not None and (trained or test.dataset.targets is not None)
            outputs.append(Outfile(config["outfile"], train=trained, test=measured, updates=updates))
    outputs.append(checkpoints.saver(model, epochs if trained else 0, engine))
    turns = not trained and not (predictions.assembles and assembling.shared_out(engine, loaders["test"], predictions))
    console.section("Dataset", dataset_rows(loaders, predictions.rows, turns=turns))

    wanted = bool(predictions.rows)
    metrics = application.metrics(nodes, loss, test)
    if session is not None:
        if test is not None and predictions.assembles and engine.rank == 0:
            outputs.append(assembling.at_the_end(predictions, model, test))
        course = training.Course(
            num_epochs,
            seed,
            compute.precision,
            updates,
            wanted,
            nodes["trackers"],
            checkpoints,
            instantiate(nodes["stopping"]),
            leave,
            session,
        )
        steps, outputs = training.training(engine, model, task, learns, terms, course, loaders, metrics, outputs)
    elif predictions.assembles:
        steps, consumers = assembling.steps(engine, task, model, loaders["test"], predictions, compute, leave)
        outputs += consumers
    else:
        ready = engine.prepare(model, compute=compute)
        none = iter([EvalEnd(1, 1, 0.0)])  # writers have something to do without a test set
        steps = none if test is None else evaluate(engine, task, ready, test, want_predictions=wanted, metrics=metrics)
        outputs.append(Unsaved(engine, leave))
    return _telling_what_was_skipped(steps, loaders, engine), outputs


def _telling_what_was_skipped(steps: Iterator[Step], loaders: Mapping[str, Loader], engine: Engine) -> Iterator[Step]:
    """The steps of a run; behind the last, the samples that `on_bad_sample` left out."""
    yield from steps
    for which, loader in loaders.items():
        skipped = list(loader.skipped.values())
        count = torch.tensor(len(skipped), device=engine.device)
        total = int(engine.total(count)) if loader.skip_bad else 0
        if total:
            words = f"{total} sample{'s' if total > 1 else ''} of the {'training' if which == 'train' else 'test'} set"
            log.warning(f"{words} could not be read and {'were' if total > 1 else 'was'} left out (`on_bad_sample`)")
        for sample in skipped[:_SHOWN]:
            log.warning(f"left out: {sample.cause}")  # which names it
        if total > min(len(skipped), _SHOWN):
            log.warning(f"left out {total - min(len(skipped), _SHOWN)} more; `rmldnn data` lists all")


def _draw(model: Network) -> None:
    try:
        for network in getattr(model, "parts", {"": model}).values():
            for path in draw(network, Folder.cwd()):
                log.info("Drawing of the network: %s", path.name)
    except OSError as error:
        raise RmldnnError(f"cannot draw the network (`debug`): {error}") from error


def _loaders(data: Data, engine: Engine, seed: int) -> dict[str, Loader]:
    return {
        which: data.loader(
            which,
            rank=engine.rank,
            world=engine.world,
            seed=seed,
            cores=engine.cores,
            device=engine.device,
        )
        for which in ("train", "test")
        if getattr(data, which) is not None
    }
