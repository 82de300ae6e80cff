"""`rmldnn verify`: networks that come from Keras against the results that Keras gave for them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from rmldnn.component import show
from rmldnn.errors import ConfigError, RmldnnError
from rmldnn.networks import keras, weights
from rmldnn.networks.compile import build
from rmldnn.networks.network import Network
from rmldnn.output.tables import print_table
from rmldnn.verbs import parser

DESCRIPTION = """\
Proves that networks exported from Keras give here what they give there. Each folder holds

  model.json, model.keras or a full-model .h5   the network
  *.weights.h5, *.h5, *.keras, ...              its weights; every file is tried
  input_0.npy, input_1.npy, ...                 inputs exactly as Keras takes them, in the model's order
  output_0.npy, output_1.npy, ...               what Keras gives for them

  rmldnn verify exports/*/                         a table; exit code 0 only if all results agree
  rmldnn verify model/ --dtype float64 --tolerance 1e-9"""

MODELS = ("model.json", "model.keras", "model.h5", "network.json")
WEIGHTS = (".h5", ".hdf5", ".keras", ".safetensors", ".pt")


@dataclass(frozen=True)
class Row:
    """One output of one network with one file of weights.

    Args:
        folder: The folder, as it was named.
        weights: Name of the weight file; null for a network that has none.
        output: Number of the output; null if nothing could be compared.
        shape: Keras' shape of the result.
        max_abs_error: The largest difference.
        relative_error: The same, relative to the largest expected magnitude.
        verdict: `ok`, or `differs`, also where nothing could be compared.
        message: What went wrong, if that is not just a difference.
    """

    folder: str
    weights: str | None
    output: int | None
    shape: list[int] | None
    max_abs_error: float | None
    relative_error: float | None
    verdict: str
    message: str = ""


def main(arguments: Sequence[str]) -> int:
    """Compares, prints, and returns the exit code: 0 if everything agrees, else 1."""
    options = parser("verify", "[options] FOLDER ...", DESCRIPTION)
    options.add_argument("folders", nargs="+", metavar="FOLDER", help="what to compare")
    options.add_argument("--format", choices=("table", "json"), default="table", help="for people or for programs")
    options.add_argument("--tolerance", type=float, default=1e-3, metavar="T", help="largest relative error (1e-3)")
    options.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="precision to compute in")
    given = options.parse_intermixed_args(list(arguments))
    if not 0 <= given.tolerance < float("inf"):
        raise ConfigError(f"--tolerance must be a number at least 0, got {show(given.tolerance)}")
    dtype = getattr(torch, given.dtype)
    with _errors_only():
        rows = [row for name in given.folders for row in _folder(name, given.tolerance, dtype)]
    if given.format == "json":
        print(json.dumps([{key: value for key, value in asdict(row).items() if value != ""} for row in rows], indent=1))
    else:
        _show(rows)
    return 0 if all(row.verdict == "ok" for row in rows) else 1


@contextmanager
def _errors_only() -> Iterator[None]:
    """What a file does not have shows in the results, and what concerns only training does not matter here."""
    log = logging.getLogger("rmldnn")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _folder(name: str, tolerance: float, dtype: torch.dtype) -> Iterator[Row]:
    """The rows of one folder; whatever goes wrong in it is a row as well."""
    file: str | None = None
    try:
        folder = Path(name)
        model = _model(folder)
        inputs, expected = _arrays(folder, "input"), _arrays(folder, "output")
        network = build(keras.read(str(model)), lenient=True).to(dtype).eval()
        blank = {key: tensor.clone() for key, tensor in network.state_dict().items()}
        files = [path for path in sorted(folder.iterdir()) if path.name.endswith(WEIGHTS)]
        if not blank:
            files = []
        elif not files:
            raise ConfigError(f"no weights beside {model.name}; save them with `model.save_weights(...)`")
        choices: list[Path | None] = [*files] or [None]
        for path in choices:
            file = path.name if path is not None else None
            try:
                if path is not None:
                    network.load_state_dict(blank)
                    weights.load(path, network)
                yield from _compared(name, file, _results(network, inputs, dtype), expected, tolerance)
            except RmldnnError as error:
                yield Row(name, file, None, None, None, None, "differs", str(error))
    except (RmldnnError, OSError, ValueError, RuntimeError) as error:
        yield Row(name, file, None, None, None, None, "differs", str(error))


def _model(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigError(f"there is no folder `{folder}`")
    found = [folder / name for name in MODELS if (folder / name).is_file()]
    found += sorted(folder.glob("*.keras"))
    found += [path for path in sorted(folder.glob("*.h5")) if not path.name.endswith(".weights.h5")]
    if not found and len(others := sorted(folder.glob("*.json"))) == 1:
        found = others
    if not found:
        raise ConfigError("no model.json, model.keras or full-model .h5 in it")
    return found[0]


def _arrays(folder: Path, role: str) -> list[np.ndarray]:
    """`input_0.npy`, `input_1.npy`, ... in their order."""
    arrays: list[np.ndarray] = []
    while (path := folder / f"{role}_{len(arrays)}.npy").is_file():
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ConfigError(f"{path.name} cannot be read: {error}") from None
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            raise ConfigError(f"{path.name} holds no array of numbers")
        arrays.append(array.astype(array.dtype.newbyteorder("=")))
    if not arrays:
        raise ConfigError(f"no {role}_0.npy in it; save what the model {'takes' if role == 'input' else 'gives'}")
    return arrays


def _results(network: Network, inputs: Sequence[np.ndarray], dtype: torch.dtype) -> list[np.ndarray]:
    """What the network gives, in Keras' order of axes."""
    tensors = [torch.from_numpy(np.ascontiguousarray(array)).to(dtype) for array in inputs]
    if not network.channels_first:
        tensors = [tensor.movedim(-1, 1) if tensor.dim() > 2 else tensor for tensor in tensors]
    network.check_input(*(tensor.shape for tensor in tensors))
    with torch.no_grad():
        outputs = network(*tensors)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    if not network.channels_first:
        outputs = tuple(tensor.movedim(1, -1) if tensor.dim() > 2 else tensor for tensor in outputs)
    return [tensor.numpy() for tensor in outputs]


def _compared(
    folder: str, file: str | None, got: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float
) -> Iterator[Row]:
    if len(got) != len(expected):
        message = f"the network has {len(got)} outputs, but there are {len(expected)} files output_*.npy"
        yield Row(folder, file, None, None, None, None, "differs", message)
    for number, (result, wanted) in enumerate(zip(got, expected, strict=False)):
        shape = list(result.shape)
        if result.shape != wanted.shape:
            message = f"Keras gives the shape {list(wanted.shape)}"
            yield Row(folder, file, number, shape, None, None, "differs", message)
            continue
        exact = wanted.astype(np.float64)
        difference = np.abs(result.astype(np.float64) - exact)
        error = float(difference.max(initial=0.0))
        largest = float(np.abs(exact).max(initial=0.0))
        relative = error / largest if largest else error
        verdict = "ok" if relative <= tolerance else "differs"  # a NaN is not
        message = "" if np.isfinite(error) else "some results are no finite numbers"
        yield Row(folder, file, number, shape, _finite(error), _finite(relative), verdict, message)


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None


def _show(rows: Sequence[Row]) -> None:
    print_table(
        "",
        ["Folder", "Weights", ">Output", "Shape", ">Max abs error", ">Relative", "Verdict"],
        [
            (
                row.folder,
                row.weights or "",
                "" if row.output is None else str(row.output),
                "" if row.shape is None else " x ".join(map(str, row.shape)),
                "" if row.max_abs_error is None else f"{row.max_abs_error:.2e}",
                "" if row.relative_error is None else f"{row.relative_error:.2e}",
                f"{row.verdict}: {row.message}" if row.message else row.verdict,
            )
            for row in rows
        ],
    )
    wrong = sum(row.verdict != "ok" for row in rows)
    print(f"{len(rows)} results, {f'{wrong} of them wrong' if wrong else 'all as Keras gives them'}")
