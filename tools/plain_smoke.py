"""The smoke run in plain PyTorch, as one would write it by hand; `benchmark_smoke.py` times it.

Usage: python plain_smoke.py EPOCHS (in a folder with training/ and testing/)
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Grey pictures in folders named by class."""

    def __init__(self, folder: str) -> None:
        self.paths = sorted(Path(folder).glob("*/*.jpg"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path = self.paths[index]
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise ValueError(path)
        image = cv2.resize(image, (28, 28)) if image.shape != (28, 28) else image
        return torch.from_numpy(image).unsqueeze(0).float() / 255, int(path.parent.name)


def main(epochs: int) -> None:
    """Trains and evaluates; writes time, loss and gradient norm of every step, prints every loss."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 10, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(10, 20, 5),
        nn.Dropout2d(0),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(320, 50),
        nn.ReLU(),
        nn.Dropout(0),
        nn.Linear(50, 2),
        nn.LogSoftmax(1),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    criterion = nn.NLLLoss()
    train = DataLoader(Pictures("training"), batch_size=16, shuffle=True)
    test = DataLoader(Pictures("testing"), batch_size=64)
    start = time.perf_counter()
    with Path("plain_train.txt").open("w") as table:
        for epoch in range(1, epochs + 1):
            model.train()
            for batch, (images, labels) in enumerate(train, start=1):
                optimizer.zero_grad()
                loss = criterion(model(images), labels)
                loss.backward()
                optimizer.step()
                table.write(f"{time.perf_counter() - start:.6f} {epoch} {batch} {loss.item():.6f}\n")
                print(f"epoch {epoch} batch {batch} loss {loss.item():.4f}")
            model.eval()
            correct = count = 0
            with torch.no_grad():
                for images, labels in test:
                    correct += int((model(images).argmax(1) == labels).sum())
                    count += len(labels)
            print(f"epoch {epoch} accuracy {correct / count:.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
