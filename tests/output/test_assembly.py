import json
from itertools import pairwise

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.data.slicer import slicer
from rmldnn.data.slices import Sliced
from rmldnn.data.source import Side
from rmldnn.data.sources.numpy import numpy
from rmldnn.errors import ConfigError
from rmldnn.output.assembly import Assembly, Crew
from rmldnn.steps import EvalEnd


def opened(folder, *arrays, **keys):
    """Arrays in files, as a source."""
    for number, array in enumerate(arrays):
        np.save(folder / f"{number}.npy", array)
    return numpy(Side("test", "input", str(folder)), **keys)


def assembled(assembly, slices, start=0, batch=3, stop=None):
    """Lets the identity predict all slices from one on."""
    bounds = [0, *np.cumsum(slices.groups).tolist()]
    for low, high in pairwise(bounds):
        for first in range(max(low, start), high, batch):
            if stop is not None and first >= stop:
                return
            samples = slices.take(np.arange(first, min(first + batch, high)))
            put(assembly, first, torch.from_numpy(np.ascontiguousarray(np.moveaxis(samples, -1, 1))))
    assembly.consume(EvalEnd(1, 1, 0.0))


def put(assembly, first, predictions):
    """Adds the predictions of slices from one on."""
    assembly.add(assembly.slices.names[first : first + len(predictions)], predictions)


axis = st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2))


@given(
    st.lists(axis, min_size=1, max_size=3),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["uniform", "gaussian"]),
    st.sampled_from(["first", "last"]),
)
@settings(max_examples=150, deadline=None)
def test_the_identity_gives_the_input_back_to_the_last_bit(
    tmp_path_factory, axes, num_channels, discard, transpose, blend, order
):
    folder = tmp_path_factory.mktemp("identity")
    extent, sizes, strides, padding = (tuple(item[place] for item in axes) for place in range(4))
    sizes = tuple(map(min, sizes, extent)) if discard else sizes
    strides = tuple(map(min, strides, sizes))
    keys = {"sizes": list(sizes), "strides": list(strides), "padding": list(padding), "discard_remainders": discard}
    padded = [size + 2 * pad for size, pad in zip(sizes, padding, strict=True)]
    keys["transpose"] = transpose and sum(size > 1 for size in padded) == 2
    shape = (num_channels, *extent) if num_channels else extent
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    (folder / "in").mkdir()
    slices = Sliced(
        opened(folder / "in", array),
        [slicer(**keys), slicer(sizes=list(sizes), strides=list(strides), padding=list(padding))],
    )
    path = folder / "out.h5"
    assembled(Assembly(str(path), slices, num_channels or 1, blend=blend, channels=order), slices)
    wanted = array if num_channels else array[None]
    with h5py.File(path) as file:
        for made, cut in zip(slices.slicers, slices.cuts, strict=True):
            found = file[made.name][()]
            found = np.moveaxis(found, -1, 0) if order == "last" else found
            inside = (slice(None), *(slice(0, size) for size in cut.grid.covered))
            assert np.array_equal(found, wanted[inside])


@pytest.fixture
def block(tmp_path):
    (tmp_path / "in").mkdir()
    return opened(tmp_path / "in", np.random.default_rng(1).normal(size=(20, 9, 8)).astype(np.float32))


@pytest.mark.parametrize("stop", [3, 12, 31, 60, 83])
@pytest.mark.parametrize("strides", [[2, 3, 3], [4, 4, 4]])
@pytest.mark.parametrize("half", [False, True])
def test_work_that_was_killed_continues_to_the_same_bits(tmp_path, block, stop, strides, half):
    slices = Sliced(block, [slicer(name="a", sizes=[4, 4, 4], strides=strides), slicer(name="b", sizes=[5, 9, 8])])
    noise = torch.Generator().manual_seed(0)
    predictions = torch.rand(len(slices), 2, 5, 9, 8, generator=noise)

    def run(path, start, stop):
        assembly = Assembly(str(path), slices, 2, half=half, blend="gaussian", work="w", every=0.0)
        assert start is None or assembly.first == start
        for index in range(assembly.first, stop):
            extent = slices.at(index)[0].grid.slicer.sample_extent
            put(assembly, index, predictions[index : index + 1, :, : extent[0], : extent[1], : extent[2]])
        assembly._beside.finish()
        return assembly

    whole = run(tmp_path / "whole.h5", 0, len(slices))
    whole.consume(EvalEnd(1, 1, 0.0))
    killed = run(tmp_path / "out.h5", 0, stop := min(stop, len(slices)))
    marker = (tmp_path / ".out.h5.part.0.json").read_text()
    assert json.loads(marker)["next"] == stop  # nothing is closed: as after SIGKILL, files are as they are
    killed._next_note = 1e18  # the next slices leave traces, but no note
    extent = slices.at(min(stop, len(slices) - 1))[0].grid.slicer.sample_extent
    put(killed, stop, torch.full((int(stop < len(slices)), 2, *extent), 7.0))
    killed._beside.finish()
    again = run(tmp_path / "out.h5", None, len(slices))
    assert 0 < again.first <= stop or stop <= 12
    again.consume(EvalEnd(1, 1, 0.0))
    with h5py.File(tmp_path / "whole.h5") as one, h5py.File(tmp_path / "out.h5") as other:
        for name in ("a", "b"):
            assert one[name].dtype == (np.float16 if half else np.float32)
            assert one[name][()].tobytes() == other[name][()].tobytes()
    assert not (tmp_path / ".out.h5.part.0.json").exists()


def test_work_with_other_weights_starts_anew(tmp_path, block):
    slices = Sliced(block, [slicer(sizes=[4, 9, 8])])
    first = Assembly(str(tmp_path / "out.h5"), slices, 1, work="one", every=0.0)
    put(first, 0, torch.zeros(2, 1, 4, 9, 8))
    first._beside.finish()
    assert Assembly(str(tmp_path / "out.h5"), slices, 1, work="one").first == 2
    assert Assembly(str(tmp_path / "out.h5"), slices, 1, work="two").first == 0


def test_what_is_left_unfinished_never_has_the_name(tmp_path, block):
    slices = Sliced(block, [slicer(sizes=[4, 9, 8])])
    assembly = Assembly(str(tmp_path / "out.h5"), slices, 1)
    put(assembly, 0, torch.zeros(2, 1, 4, 9, 8))
    assembly.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_a_network_that_changes_the_extent_is_named(tmp_path, block):
    slices = Sliced(block, [slicer(name="blocks", sizes=[4, 9, 8])])
    assembly = Assembly(str(tmp_path / "out.h5"), slices, 1)
    put(assembly, 0, torch.zeros(2, 1, 2, 9, 8))
    with pytest.raises(ConfigError, match=r"slices of \[4, 9, 8\] \(`blocks`\) become \[2, 9, 8\]"):
        assembly.consume(EvalEnd(1, 1, 0.0))


def test_several_arrays_have_groups_of_their_own(tmp_path):
    (tmp_path / "in").mkdir()
    arrays = opened(tmp_path / "in", np.ones((4, 4), np.float32), np.zeros((6, 4), np.float32))
    slices = Sliced(arrays, [slicer(name="rows", sizes=[2, 4])])
    assembled(Assembly(str(tmp_path / "out.h5"), slices, 1), slices, batch=1)
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["0.npy/rows"][()].tolist() == np.ones((4, 4, 1)).tolist()
        assert file["1.npy/rows"].shape == (6, 4, 1)


def test_the_mean_is_that_of_a_float64_formula(tmp_path):
    (tmp_path / "in").mkdir()
    slices = Sliced(
        opened(tmp_path / "in", np.zeros(10, np.float32), channel_axis="none"), [slicer(sizes=[4], strides=[3])]
    )
    predictions = torch.rand(3, 1, 4, generator=torch.Generator().manual_seed(0))
    assembly = Assembly(str(tmp_path / "out.h5"), slices, 1, blend="gaussian")
    put(assembly, 0, predictions)
    assembly.consume(EvalEnd(1, 1, 0.0))
    weight = np.exp(-0.5 * ((np.arange(4) - 1.5) / 0.5) ** 2)
    total, sums = np.zeros(10), np.zeros(10)
    for number in range(3):
        total[3 * number : 3 * number + 4] += weight * predictions[number, 0].double().numpy()
        sums[3 * number : 3 * number + 4] += weight
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_allclose(file["slice_set_1"][:, 0], total / sums, rtol=1e-6)


def test_slices_that_were_left_out_stay_zeros(tmp_path, block):
    slices = Sliced(block, [slicer(name="a", sizes=[4, 9, 8])])
    assembly = Assembly(str(tmp_path / "out.h5"), slices, 1)
    assembly.add([slices.names[place] for place in (0, 2, 4)], torch.ones(3, 1, 4, 9, 8))
    assembly.consume(EvalEnd(1, 1, 0.0))
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["a"][:, 0, 0, 0].reshape(5, 4).tolist() == [[float(row % 2 == 0)] * 4 for row in range(5)]


shapes = st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4))


@given(st.lists(shapes, min_size=1, max_size=3), st.integers(2, 4), st.booleans(), st.booleans(), st.data())
@settings(max_examples=60, deadline=None)
def test_parts_of_several_processes_make_the_bits_of_one(tmp_path_factory, axes, world, half, discard, data):
    folder = tmp_path_factory.mktemp("parts")
    extent, sizes, strides = (tuple(item[place] for item in axes) for place in range(3))
    sizes = tuple(map(min, sizes, extent))
    (folder / "in").mkdir()
    arrays = opened(folder / "in", np.zeros((1, *extent), np.float32))
    keys = {"sizes": list(sizes), "strides": list(strides), "discard_remainders": discard}
    slices = Sliced(arrays, [slicer(**keys), slicer(sizes=list(sizes))])
    noise = torch.Generator().manual_seed(0)
    predictions = [
        torch.rand(1, 1, *slices.at(at)[0].grid.slicer.sample_extent, generator=noise) for at in range(len(slices))
    ]

    def whole(path, crews, killed_at=None):
        assemblies = together(path, crews, every=1e9 if killed_at is None else 0.0)
        for assembly in assemblies:
            for index in range(assembly.first, assembly.part[1]):
                if killed_at is not None and index >= killed_at:
                    break
                put(assembly, index, predictions[index])
            assembly._beside.finish()
        if killed_at is None:
            for assembly in reversed(assemblies):  # the first process completes the file
                assembly.consume(EvalEnd(1, 1, 0.0))

    def together(path, count, every):
        """Makes the parts of all processes; what one tells is what the first one says."""
        told = []
        first = Assembly(
            str(path),
            slices,
            1,
            half=half,
            work="w",
            every=0.0,
            crew=Crew(0, count, lambda n: told.append(n) or n),
        )
        others = [
            Assembly(str(path), slices, 1, half=half, work="w", every=every, crew=Crew(rank, count, lambda n: told[0]))
            for rank in range(1, count)
        ]
        return [first, *others]

    whole(folder / "one.h5", 1)
    if data.draw(st.booleans(), label="killed"):
        whole(folder / "many.h5", world, killed_at=data.draw(st.integers(0, len(slices))))
    whole(folder / "many.h5", world)
    with h5py.File(folder / "one.h5") as one, h5py.File(folder / "many.h5") as other:
        for name in one:
            assert one[name][()].tobytes() == other[name][()].tobytes()
    assert sorted(path.name for path in folder.iterdir()) == ["in", "many.h5", "one.h5"]


def test_no_room_for_the_volume_is_told_before_the_run(tmp_path):
    (tmp_path / "in").mkdir()
    slices = Sliced(opened(tmp_path / "in", np.zeros((4, 4), np.float32)), [slicer(sizes=[2, 2])])
    with pytest.raises(ConfigError, match=r"^data.hdf5_outfile: `.*` has room for .*, but assembled predictions need"):
        Assembly(str(tmp_path / "out.h5"), slices, 10**14)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
