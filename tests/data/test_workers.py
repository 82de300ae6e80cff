import functools
import multiprocessing
import os
import select
import signal
import time

import pytest
import torch

from rmldnn.data.dataset import data
from rmldnn.data.sources.images import images
from rmldnn.data.sources.labels import labels
from rmldnn.errors import DataError


def loader(digits, num_workers, **keys):
    opened = data(images, labels, input_path=str(digits / "training"), batch_size=3, num_workers=num_workers, **keys)
    return opened.loader("train", seed=1)


def contents(batches):
    return [(batch.names, batch.inputs.tolist(), batch.targets.tolist(), batch.first, batch.size) for batch in batches]


def test_batches_of_workers_are_those_of_one_process(digits):
    workers, alone = loader(digits, 2), loader(digits, 0)
    assert [contents(workers.epoch(n)) for n in (1, 2)] == [contents(alone.epoch(n)) for n in (1, 2)]


def test_an_epoch_can_be_left_early(digits):
    workers, alone = loader(digits, 2), loader(digits, 0)
    next(workers.epoch(1))
    assert contents(workers.epoch(2)) == contents(alone.epoch(2))


def test_preloaded_batches_are_those_read_when_wanted(digits):
    assert contents(loader(digits, 0, preload=True).epoch(1)) == contents(loader(digits, 0).epoch(1))


def test_workers_leave_the_random_numbers_of_the_run_alone(digits):
    before = torch.get_rng_state()
    list(loader(digits, 1).epoch(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_leave_signals_alone(digits):
    before = signal.getsignal(signal.SIGCHLD)
    list(loader(digits, 1).epoch(1))
    assert signal.getsignal(signal.SIGCHLD) == before


def test_an_error_in_a_worker_reads_as_it_does_in_one_process(digits):
    (digits / "training" / "0" / "4.png").write_bytes(b"no picture")
    texts = []
    for num_workers in (0, 2):
        with pytest.raises(DataError) as error:
            list(loader(digits, num_workers).epoch(1))
        texts.append(str(error.value))
    assert texts[0] == texts[1]


def test_a_worker_that_dies_is_reported(digits):
    opened = data(functools.partial(dying, os.getpid()), None, test_input_path=str(digits / "testing"), num_workers=1)
    with pytest.raises(DataError, match=r"died while it was reading one of these: .*testing/0/0\.png.*num_workers"):
        list(opened.loader("test").epoch(1))


def dying(parent, side):
    """Opens pictures that kill the process reading them, if it is another one."""
    source = images(side)
    if source is None:
        return None
    take = source.take

    def take_and_die(indices):
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return take(indices)

    source.take = take_and_die
    return source


def test_workers_end_with_their_parent(digits):
    reading, writing = os.pipe()
    parent = multiprocessing.get_context("fork").Process(target=read_for_ever, args=(digits, writing))
    parent.start()
    os.close(writing)  # from here on, only the parent and its workers hold it open
    assert os.read(reading, 1) == b"."
    parent.kill()
    parent.join()
    ended, _, _ = select.select([reading], [], [], 10)
    os.close(reading)
    assert ended


def read_for_ever(digits, signal_ready):
    """Tells when the workers have started."""
    batches = loader(digits, 2).epoch(1)
    next(batches)
    os.write(signal_ready, b".")
    time.sleep(600)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("side", ["inputs", "targets"])
def test_pictures_whose_size_differs_between_batches_are_an_error_that_names_two(
    tmp_path, write, num_workers, preload, side
):
    for index in range(5):
        for folder in ("inputs", "targets"):
            write(tmp_path / folder / f"{index}.png", width=8 if (folder, index) == (side, 3) else 6)
    opened = data(
        images,
        images,
        test_input_path=str(tmp_path / "inputs"),
        test_target_path=str(tmp_path / "targets"),
        test_batch_size=1,
        preload=preload,
        num_workers=num_workers,
    )
    batches = opened.loader("test")
    batches.sample()
    message = rf'{side}/0\.png is 6 x 4, .*{side}/3\.png is 8 x 4 .*"resize": \[6, 4\]'
    with pytest.raises(DataError, match=message):
        list(batches.epoch(1))


def test_batches_that_are_all_kept_do_not_change(tmp_path, write):
    for index in range(24):
        write(tmp_path / f"{index:02d}.png", width=200, height=150)
    opened = [data(images, images, test_input_path=str(tmp_path), test_target_path=str(tmp_path), test_batch_size=1,
                   num_workers=count) for count in (0, 2)]  # fmt: skip
    for _ in range(2):
        alone, together = (list(each.loader("test").epoch(1)) for each in opened)
        for one, other in zip(alone, together, strict=True):
            assert torch.equal(one.inputs, other.inputs)
            assert torch.equal(one.targets, other.targets)


def test_an_epoch_left_early_leaves_the_memory_of_its_workers_in_order(tmp_path, write):
    for index in range(12):
        write(tmp_path / f"{index:02d}.png", width=200, height=150)
    keys = {"test_input_path": str(tmp_path), "test_batch_size": 1}
    wanted = [batch.inputs for batch in data(images, None, num_workers=0, **keys).loader("test").epoch(1)]
    batches = data(images, None, num_workers=2, **keys).loader("test")
    for seen in (1, 5, 2):
        left = batches.epoch(1)
        for _ in range(seen):
            next(left)
        left.close()
        for one, other in zip(batches.epoch(1), wanted, strict=True):
            assert torch.equal(one.inputs, other)
