"""A picture of a network: GraphViz' language, one box per operation."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from rmldnn.networks.graph import Graph, Ref
from rmldnn.networks.network import LayerFacts, Network


def draw(network: Network, folder: Path) -> list[Path]:
    """Writes `<title>.dot`, and `<title>.svg` where GraphViz is installed.

    Args:
        network: What to draw.
        folder: Where to.

    Returns:
        The files.

    Raises:
        OSError: They cannot be written.
    """
    stem = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in network.title)
    path = folder / f"{stem}.dot"
    path.write_text(dot(network), encoding="utf-8")
    program = shutil.which("dot")
    if program is None:
        return [path]
    picture = path.with_suffix(".svg")
    done = subprocess.run([program, "-Tsvg", f"-o{picture}", str(path)], check=False, capture_output=True)  # noqa: S603
    return [path, picture] if done.returncode == 0 else [path]


def dot(network: Network) -> str:
    """The network in GraphViz' language; each box holds name, type, and Keras' shape of the result."""
    head = [f"digraph {_quoted(network.title)} {{", '  node [shape=box, style=filled, fillcolor="#e8e8e8"];']
    return "\n".join([*head, *_lines(network.description, network.layers, "", "  "), "}", ""])


def _lines(graph: Graph, layers: Sequence[LayerFacts], prefix: str, indent: str) -> Iterator[str]:
    facts = {layer.name: layer for layer in layers}
    for node in graph.nodes:
        layer, name = facts[node.name], f"{prefix}{node.name}"
        if node.model is not None:
            yield f"{indent}subgraph {_quoted(f'cluster {name}')} {{"
            yield f"{indent}  label={_quoted(node.name)};"
            yield from _lines(node.model, layer.layers, f"{name}.", f"{indent}  ")
            yield f"{indent}}}"
            entries = [f"{name}.{ref.layer}" for ref in node.model.inputs]
        else:
            kind = node.config.get("activation") if node.class_name == "Activation" else node.class_name
            yield f"{indent}{_box(name, node.name, str(kind).lower(), layer)}"
            if layer.activation:
                yield f"{indent}{_box(f'{name}_activation', f'{node.name}_activation', layer.activation, layer)}"
                yield f"{indent}{_quoted(name)} -> {_quoted(f'{name}_activation')};"
            entries = [name]
        for call in node.inbound:
            for ref, entry in zip(call, entries if node.model is not None else entries * len(call), strict=True):
                yield f"{indent}{_quoted(_end(graph, facts, ref, prefix))} -> {_quoted(entry)};"


def _end(graph: Graph, facts: dict[str, LayerFacts], ref: Ref, prefix: str) -> str:
    """The box that gives a tensor."""
    (node,) = (node for node in graph.nodes if node.name == ref.layer)
    layer, name = facts[ref.layer], f"{prefix}{ref.layer}"
    if node.model is None:
        return f"{name}_activation" if layer.activation else name
    inner = {one.name: one for one in layer.layers}
    return _end(node.model, inner, node.model.outputs[ref.tensor], f"{name}.")


def _box(identity: str, title: str, kind: str, layer: LayerFacts) -> str:
    shapes = " ".join(f"({' '.join('?' if extent is None else str(extent) for extent in one)})" for one in layer.shapes)
    label = "\\n".join([title.replace("\\", "\\\\"), f"[{kind}]", shapes])
    return f"{_quoted(identity)} [label={_quoted(label)}];"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'
