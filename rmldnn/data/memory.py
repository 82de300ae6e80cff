"""Memory of batches, used again for batch after batch, and seen by a worker process and its parent alike.

New memory costs more than what is written into it: the system clears every page of it when it is first touched. And
what a worker has written into memory of its own would have to be copied to get to the parent.
"""

from __future__ import annotations

import math
import mmap
import os
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rmldnn.data.source import Indices, Samples

Empty: TypeAlias = Callable[[Sequence[int], DTypeLike], NDArray[Any]]
"""Gives an array of a shape and a type, to be filled."""

_SMALL = 2**16
"""Bytes of an array that is not worth a block."""
_KEPT = 2**28
"""Bytes that a pool keeps between epochs."""


class Placed(NamedTuple):
    """An array in a block, as one process tells another.

    Args:
        block: Number of the block.
        shape: Of the array.
        dtype: The type of its numbers.
        offset: Where its first number lies.
        strides: Bytes from number to number along each axis.
    """

    block: int
    shape: tuple[int, ...]
    dtype: str
    offset: int
    strides: tuple[int, ...]


class Block:
    """A file in memory that holds one array at a time; processes that were forked share it.

    Args:
        number: Its number among the blocks of a pool.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._file = os.memfd_create("batch")
        self._memory = memoryview(b"")
        weakref.finalize(self, os.close, self._file)

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """An array at the beginning of the block, which grows if it is too small."""
        size = _bytes(shape, dtype)
        if self.size < size:
            os.ftruncate(self._file, size)
        return np.ndarray(tuple(shape), dtype, self._seen(size))

    def place(self, array: NDArray[Any]) -> Placed:
        """Where in the block an array lies, into which it is copied if it does not."""
        if not self.holds(array):
            room = self.empty((array.nbytes,), np.uint8)
            held: NDArray[Any] = np.ndarray(array.shape, array.dtype, room.data, 0, np.empty_like(array).strides)
            np.copyto(held, array)
            array = held
        start = np.frombuffer(self._memory, np.uint8).ctypes.data
        return Placed(self.number, array.shape, array.dtype.str, array.ctypes.data - start, array.strides)

    def holds(self, array: NDArray[Any]) -> bool:
        """Whether an array lies in the block."""
        return np.may_share_memory(array, np.frombuffer(self._memory, np.uint8))

    def array(self, placed: Placed) -> NDArray[Any]:
        """The array that another process has placed here."""
        memory = self._seen(self.size)
        return np.ndarray(placed.shape, placed.dtype, memory, placed.offset, placed.strides)

    @property
    def size(self) -> int:
        """Bytes of it."""
        return os.fstat(self._file).st_size

    def clear(self) -> None:
        """Gives the memory back to the system; the block must hold nothing of use."""
        os.ftruncate(self._file, 0)

    def _seen(self, size: int) -> memoryview:
        """The memory, of which so many bytes are wanted; arrays keep that in which they lie."""
        if len(self._memory) < size:
            self._memory = memoryview(mmap.mmap(self._file, 0))
        return self._memory


class Pool:
    """Blocks that are lent, and come back when nobody holds the arrays in them any more.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self.blocks = [Block(number) for number in range(count)]
        self._free = deque(self.blocks)

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """An array in a block that is free; in memory of its own if it is small or no block is free."""
        lent = self.take(1) if _bytes(shape, dtype) >= _SMALL else []
        if not lent:
            return np.empty(shape, dtype)
        return self.returning(lent[0].empty(shape, dtype), lent[0])

    def take(self, count: int) -> list[Block]:
        """So many blocks, or as many as are free: those used last, whose memory is there."""
        return [self._free.pop() for _ in range(min(count, len(self._free)))]

    def release(self, blocks: Sequence[Block]) -> None:
        """Takes blocks back in which there is nothing of use."""
        self._free.extend(blocks)

    def found(self, placed: Placed) -> NDArray[Any]:
        """The array that another process has placed in a block that was lent to it; see `returning`."""
        block = self.blocks[placed.block]
        return self.returning(block.array(placed), block)

    def returning(self, array: NDArray[Any], block: Block) -> NDArray[Any]:
        """The same array; when neither it nor a view or a tensor of it is left, the block comes back."""
        weakref.finalize(array, self._free.append, block).atexit = False
        return array

    def clear(self) -> None:
        """Gives memory of blocks that are free back to the system, but for some that will be of use soon."""
        kept = 0
        with suppress(OSError):  # when all is torn down at once, files may be closed before their last user
            for block in list(self._free):
                kept += block.size
                if kept > _KEPT:
                    kept -= block.size
                    block.clear()


class Lent:
    """Blocks of another process, for one array each.

    Args:
        blocks: These blocks.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = list(blocks)
        self._rest = list(blocks)

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """An array in a block that was not used yet; in memory of its own if it is small or none is left."""
        if not self._rest or _bytes(shape, dtype) < _SMALL:
            return np.empty(shape, dtype)
        return self._rest.pop(0).empty(shape, dtype)

    def placed(self, arrays: Sequence[NDArray[Any] | None]) -> list[NDArray[Any] | Placed | None]:
        """Where arrays lie; small ones, and those for which there is no block, remain what they are."""
        left = [block for block in self._blocks if not any(a is not None and block.holds(a) for a in arrays)]
        found: list[NDArray[Any] | Placed | None] = []
        for array in arrays:
            block = None
            if array is not None and array.nbytes >= _SMALL:
                block = next((block for block in self._blocks if block.holds(array)), None) or (left and left.pop())
            found.append(block.place(array) if block and array is not None else array)
        return found


_empty: ContextVar[Empty] = ContextVar("empty", default=np.empty)


def empty(shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """An array to be filled with samples, in memory of a pool where somebody asked for that by `using`."""
    return _empty.get()(shape, dtype)


@contextmanager
def using(source: Empty) -> Iterator[None]:
    """Lets `empty` take its memory from somewhere; from `np.empty` for what is only passing."""
    token = _empty.set(source)
    try:
        yield
    finally:
        _empty.reset(token)


def assembled(places: Sequence[int], read: Callable[[int, NDArray[Any] | None], NDArray[Any]]) -> Samples:
    """Samples in one array, each read right into its place if that can be; a list if they differ in shape or type.

    Args:
        places: All places of the array, in the order in which they are read.
        read: Reads the sample of a place; it is offered room there, which it need not take.
    """
    first = read(places[0], None)
    if len(places) == 1:
        return first[None]
    batch = empty((len(places), *first.shape), first.dtype)
    batch[places[0]] = first
    for done, place in enumerate(places[1:], start=1):
        room = batch[place]
        sample = read(place, room)
        if sample.shape != first.shape or sample.dtype != first.dtype:
            found = {place: sample} | {before: batch[before] for before in places[:done]}
            found |= {after: read(after, None) for after in places[done + 1 :]}
            return [found[place] for place in range(len(places))]
        if not np.may_share_memory(sample, room):
            room[...] = sample
    return batch


def rows(block: NDArray[Any], indices: Indices) -> NDArray[Any]:
    """A copy of rows of an array."""
    room = empty((len(indices), *block.shape[1:]), block.dtype)
    return np.take(block, indices, axis=0, out=room, mode="clip")  # any other mode goes through a buffer


def _bytes(shape: Sequence[int], dtype: DTypeLike) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize
