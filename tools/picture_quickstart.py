"""Runs the digits recipe and draws the README's pictures from that very run.

Usage: python tools/picture_quickstart.py

Writes docs/images/quickstart.svg (the terminal) and docs/images/digits.png (test pictures with predictions).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import h5py
import numpy as np
from rich.console import Console
from rich.live import Live
from rich.terminal_theme import MONOKAI

from rmldnn import cli
from rmldnn.output import terminal

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
RECIPE = ROOT / "recipes" / "classification" / "digits"
CELL = 56


class _Still(Live):
    """Bars that never move, so that only what stays on the screen is recorded."""

    def start(self, refresh: bool = False) -> None:
        """Shows nothing."""

    def stop(self) -> None:
        """Has nothing to take away."""

    def refresh(self) -> None:
        """Shows nothing."""


def draw_terminal() -> None:
    """Trains in the working directory, and writes what the terminal showed."""
    with Path(os.devnull).open("w") as nowhere:
        screen = Console(record=True, width=90, file=nowhere, force_terminal=True, highlight=False)
        terminal.open_screen = lambda: screen
        setattr(terminal, "Live", _Still)  # noqa: B010 - what the module imports is nobody's business but its own
        if cli.main(["config.json", "--log=rich"]):
            raise SystemExit("the run failed")
    svg = screen.export_svg(title="rmldnn config.json", theme=MONOKAI)
    IMAGES.joinpath("quickstart.svg").write_text(_without_fonts(svg), encoding="utf-8")


def _without_fonts(svg: str) -> str:
    """The picture without references to fonts on the web; a monospaced font of the reader's serves."""
    while "@font-face" in svg:
        start = svg.index("@font-face")
        svg = svg[:start].rstrip() + svg[svg.index("}", start) + 1 :]
    return svg


def draw_digits(rows: int = 4, columns: int = 14) -> None:
    """Writes test pictures over the class predicted for each; wrong ones are red."""
    sheet = np.full((rows * (CELL + 22), columns * (CELL + 6), 3), 255, np.uint8)
    with h5py.File("predictions/output_12.h5") as file:
        found = [(label, name, int(np.argmax(file[label][name]))) for label in file for name in file[label]]
    order = np.random.default_rng(0).permutation(len(found))[: rows * columns]
    for place, index in enumerate(order):
        label, name, predicted = found[index]
        picture = cv2.imread(f"digits/test/{label}/{name}")
        if picture is None:
            raise SystemExit(f"cannot read digits/test/{label}/{name}")
        top, left = place // columns * (CELL + 22), place % columns * (CELL + 6)
        large = cv2.resize(255 - picture, (CELL, CELL), interpolation=cv2.INTER_NEAREST)
        sheet[top : top + CELL, left : left + CELL] = large
        colour = (60, 140, 60) if str(predicted) == label else (0, 0, 220)
        where = (left + CELL // 2 - 6, top + CELL + 17)
        cv2.putText(sheet, str(predicted), where, cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, 2, cv2.LINE_AA)
    cv2.imwrite(str(IMAGES / "digits.png"), sheet)


def main() -> None:
    """Trains in a temporary folder and writes both pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config.json", "network.json", "prepare.py"):
            shutil.copy(RECIPE / name, folder)
        os.chdir(folder)
        subprocess.run([sys.executable, "prepare.py"], check=True)
        draw_terminal()
        draw_digits()


if __name__ == "__main__":
    main()
