"""Writes scenes of drawn shapes, and where they are, as COCO JSON and as Darknet's text files.

scenes/{train,test}/<number>.png      pictures of 96 x 72 pixels: circles, squares, triangles, stars over clutter
scenes/{train,test}.json              COCO annotations of them
scenes/labels/{train,test}/<number>.txt, scenes/shapes.names      the same boxes for Darknet
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

NAMES = ("circle", "square", "triangle", "star")
WIDTH, HEIGHT = 96, 72
TEST_SCENES = 200
TILT = 0.35
"""The most that a shape is turned, in radians."""
FINE = 4
"""Shapes are drawn this many times larger, and made smaller to have smooth edges."""


def outline(kind: int, radius: float, angle: float) -> np.ndarray:
    """The corners of a shape around 0, (k, 2); upright where the angle is 0."""
    corners = {0: 48, 1: 4, 2: 3, 3: 10}[kind]
    upright = np.pi / 4 if kind == NAMES.index("square") else -np.pi / 2
    turns = upright + angle + 2 * np.pi * np.arange(corners) / corners
    far = np.where(np.arange(corners) % 2, 0.45, 1.0) if kind == NAMES.index("star") else np.ones(corners)
    return radius * far[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)


def background(random: np.random.Generator) -> np.ndarray:
    """A smooth ground with lines, dots and noise on it."""
    ground = random.uniform(40, 180, (3, 4, 3)).astype(np.float32)
    picture = cv2.resize(ground, (WIDTH * FINE, HEIGHT * FINE), interpolation=cv2.INTER_CUBIC)
    for _ in range(random.integers(6, 14)):
        start, end = (tuple((random.random(2) * (WIDTH, HEIGHT) * FINE).astype(int).tolist()) for _ in range(2))
        cv2.line(picture, start, end, random.uniform(0, 255, 3).tolist(), int(random.integers(2, 8)), cv2.LINE_AA)
    for _ in range(random.integers(20, 60)):
        middle = tuple((random.random(2) * (WIDTH, HEIGHT) * FINE).astype(int).tolist())
        cv2.circle(picture, middle, int(random.integers(2, 8)), random.uniform(0, 255, 3).tolist(), -1)
    return picture


def scene(random: np.random.Generator) -> tuple[np.ndarray, list[tuple[int, float, float, float, float]]]:
    """A picture, and its boxes: class, left, top, width, height."""
    picture = background(random)
    boxes: list[tuple[int, float, float, float, float]] = []
    taken: list[tuple[float, float, float]] = []
    for _ in range(random.integers(4, 11)):
        kind, radius = int(random.integers(len(NAMES))), float(np.exp(random.uniform(np.log(6), np.log(16))))
        middle = random.uniform(radius, (WIDTH - radius, HEIGHT - radius))
        if any(np.hypot(middle[0] - x, middle[1] - y) < 0.9 * (radius + other) for x, y, other in taken):
            continue
        taken.append((middle[0], middle[1], radius))
        corners = middle + outline(kind, radius, random.uniform(-TILT, TILT))
        color = random.uniform(0, 255, 3)
        while np.abs(color - picture[int(middle[1] * FINE), int(middle[0] * FINE)]).max() < 70:
            color = random.uniform(0, 255, 3)
        points = (corners * FINE).round().astype(np.int32)
        cv2.fillPoly(picture, [points], color.tolist(), cv2.LINE_AA)
        (left, top), (right, bottom) = corners.min(0).clip(0), np.minimum(corners.max(0), (WIDTH, HEIGHT))
        boxes.append((kind, left, top, right - left, bottom - top))
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return (small + random.normal(0, 8, small.shape)).clip(0, 255).astype(np.uint8), boxes


def main(num: int, folder: Path = Path("scenes"), seed: int = 1) -> None:
    """Writes all scenes below `folder`, `num` to learn from; those that are already there are written again."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shapes.names").write_text("\n".join(NAMES) + "\n")
    for number, (which, count) in enumerate({"train": num, "test": TEST_SCENES}.items()):
        random = np.random.default_rng([seed, number])
        pictures, labels = folder / which, folder / "labels" / which
        pictures.mkdir(parents=True, exist_ok=True)
        labels.mkdir(parents=True, exist_ok=True)
        coco: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": [], "categories": []}
        coco["categories"] = [{"id": place, "name": name} for place, name in enumerate(NAMES, start=1)]
        for index in range(1, count + 1):
            picture, boxes = scene(random)
            name = f"{index:04d}"
            if not cv2.imwrite(str(pictures / f"{name}.png"), picture):
                raise OSError(f"cannot write {pictures / name}.png")
            coco["images"].append({"id": index, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT})
            lines = []
            for kind, left, top, width, height in boxes:
                box = {
                    "id": len(coco["annotations"]) + 1,
                    "image_id": index,
                    "category_id": kind + 1,
                    "bbox": [round(float(side), 2) for side in (left, top, width, height)],
                    "area": round(float(width * height), 2),
                    "iscrowd": 0,
                }
                coco["annotations"].append(box)
                x, y = (left + width / 2) / WIDTH, (top + height / 2) / HEIGHT
                lines.append(f"{kind} {x:.6f} {y:.6f} {width / WIDTH:.6f} {height / HEIGHT:.6f}\n")
            (labels / f"{name}.txt").write_text("".join(lines))
        (folder / f"{which}.json").write_text(json.dumps(coco))
        print(f"{count} scenes with {len(coco['annotations'])} shapes in {pictures}/")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=4000, metavar="N", help="scenes to learn from; 4000 by default")
    main(parser.parse_args().num)
