import gc
import os

import numpy as np
import pytest
import torch

from rmldnn.data.memory import Block, Lent, Pool, assembled, empty, rows, using

LARGE = (300, 400)
"""Shape of an array of numbers of 8 bytes that is worth a block."""


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_an_array_of_one_process_is_seen_by_another():
    block = Block(0)
    reading, writing = os.pipe()
    if not os.fork():
        block.empty(LARGE, np.int64)[...] = 7
        os.write(writing, b".")
        os._exit(0)
    os.read(reading, 1)
    os.wait()
    for end in (reading, writing):
        os.close(end)
    assert (block.empty(LARGE, np.int64) == 7).all()


@pytest.mark.parametrize("turn", [lambda a: a, np.transpose, lambda a: a[::-1, 1::2], lambda a: a[3:]])
@pytest.mark.parametrize("inside", [True, False])
def test_a_placed_array_is_found_again_as_it_was(turn, inside):
    pool = Pool(1)
    array = pool.blocks[0].empty(LARGE, np.float64) if inside else np.empty(LARGE)
    array[...] = np.arange(array.size).reshape(LARGE)
    wanted = turn(array)
    values = wanted.copy()
    found = pool.found(pool.blocks[0].place(wanted))
    np.testing.assert_array_equal(found, values)
    assert np.argsort(np.abs(found.strides)).tolist() == np.argsort(np.abs(wanted.strides)).tolist()


def test_what_lies_in_a_block_is_not_copied():
    block = Block(0)
    array = block.empty(LARGE, np.float64)
    assert block.place(array[2:]).offset == 2 * array.strides[0]


def test_memory_is_used_again_when_nobody_holds_it():
    pool = Pool(1)
    first = pool.empty(LARGE, np.float64)
    address = first.ctypes.data
    del first
    assert pool.empty(LARGE, np.float64).ctypes.data == address


@pytest.mark.parametrize("held", [lambda a: a[1:], torch.from_numpy, lambda a: torch.from_numpy(a[2:]).view(-1)[5:]])
def test_memory_that_somebody_holds_is_not_used_again(held):
    pool = Pool(1)
    array = pool.empty(LARGE, np.float64)
    array.fill(3)
    view = held(array)
    del array
    gc.collect()
    pool.empty(LARGE, np.float64).fill(4)
    assert (view == 3).all()


def test_memory_given_back_to_the_system_can_be_had_again():
    pool = Pool(1)
    pool.empty((2**26,), np.float64)  # more than is kept
    pool.clear()
    assert pool.blocks[0].size == 0
    array = pool.empty(LARGE, np.float64)
    array.fill(1)
    assert array.sum() == array.size


def test_small_arrays_get_no_block():
    pool = Pool(1)
    pool.empty((3,), np.float64)
    assert pool.take(1) == pool.blocks


def test_memory_of_a_pool_is_used_where_that_is_asked_for():
    pool = Pool(1)
    with using(pool.empty):
        array = empty(LARGE, np.float64)
        with using(np.empty):
            other = empty(LARGE, np.float64)
    assert (pool.blocks[0].holds(array), pool.blocks[0].holds(other)) == (True, False)


def test_arrays_are_placed_as_far_as_there_are_blocks():
    lent = Lent(Pool(1).blocks)
    inside, outside, small = lent.empty(LARGE, np.float64), np.ones(LARGE), np.ones(3)
    placed = lent.placed([outside, inside, small, None])
    assert placed[0] is outside
    assert placed[1].shape == LARGE
    assert placed[2] is small
    assert placed[3] is None


def test_an_array_from_elsewhere_is_copied_into_a_block_without_a_result():
    pool = Pool(2)
    lent = Lent(pool.blocks)
    lent.empty(LARGE, np.float64).fill(1)  # only passing
    placed = lent.placed([np.full(LARGE, 2.0), np.full(LARGE, 3.0)])
    assert [pool.found(place).mean() for place in placed] == [2, 3]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
@pytest.mark.parametrize("takes_room", [True, False])
def test_samples_are_assembled_in_their_places(order, takes_room):
    def read(place, room):
        sample = room if takes_room and room is not None else np.empty((2, 3))
        sample[...] = place
        return sample

    assert [sample.mean() for sample in assembled(order, read)] == [0, 1, 2, 3]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
@pytest.mark.parametrize("odd", [0, 1, 2, 3])
def test_samples_that_differ_become_a_list(order, odd):
    def read(place, room):
        return np.full((3 if place == odd else 2, 2), float(place))

    found = assembled(order, read)
    assert [(len(sample), sample.mean()) for sample in found] == [(3 if n == odd else 2, n) for n in range(4)]


def test_rows_are_copied():
    block = np.arange(12).reshape(4, 3)
    taken = rows(block, np.array([3, 0, 3]))
    np.testing.assert_array_equal(taken, block[[3, 0, 3]])
    assert not np.shares_memory(taken, block)
