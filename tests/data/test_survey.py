import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.data import survey as module
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Side
from rmldnn.data.sources.images import images
from rmldnn.data.sources.labels import labels
from rmldnn.data.sources.numpy import numpy
from rmldnn.data.survey import Values, _distorted, chosen, survey
from rmldnn.data.transform import Part


@pytest.fixture
def arrays(tmp_path):
    """Makes a set of given input and target arrays in files."""

    def arrays(inputs, targets=None):
        sides = []
        for role, some in (("input", inputs), ("target", targets)):
            if some is None:
                continue
            folder = tmp_path / role
            folder.mkdir()
            for index, array in enumerate(some):
                np.save(folder / f"{index}.npy", array)
            first = sides[0].source if sides else None
            sides.append(Pipeline(numpy(Side("train", role, str(folder), first)), Part(role)))
        return Dataset(*sides)

    return arrays


def pictures(folder):
    inputs = images(Side("train", "input", str(folder)))
    return Dataset(
        Pipeline(inputs, Part("input")), Pipeline(labels(Side("train", "target", None, inputs)), Part("target"))
    )


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=9), min_size=1, max_size=5),
    st.floats(0, 1e6),
)
@settings(max_examples=30)
def test_merged_values_are_those_of_the_whole(parts, shift):
    whole, merged = np.concatenate(parts) + shift, None
    for part in parts:
        here = Values.of(np.array([part]) + shift)
        merged = merged.merged(here) if merged else here
    assert (merged.low[0], merged.high[0], merged.count) == (whole.min(), whole.max(), len(whole))
    np.testing.assert_allclose([merged.mean[0], merged.deviation[0]], [whole.mean(), whole.std()], rtol=1e-9, atol=1e-6)


def test_pixels_are_measured_as_the_network_sees_them(digits):
    found = survey(pictures(digits / "training"))
    values = found.inputs.values[3]
    assert values.high.tolist() == pytest.approx([90 / 255] * 3)
    assert found.inputs.shapes == {((4, 6, 3), "uint8"): 10}


def test_classes_are_counted(digits):
    assert survey(pictures(digits / "training")).targets.classes == {0: 5, 1: 5}


def test_pixels_of_class_maps_are_counted(arrays):
    maps = [np.array([[0, 1, 1], [7, -1, 1]]), np.zeros((2, 3), int)]
    found = survey(arrays([np.zeros((1, 2, 3))] * 2, maps))
    assert found.targets.classes == {0: 7, 1: 3, 7: 1, -1: 1}


def test_every_channel_is_measured(arrays):
    found = survey(arrays([np.stack([np.full((2, 3), 1.0), np.arange(6.0).reshape(2, 3)])]))
    values = found.inputs.values[2]
    assert (values.low.tolist(), values.high.tolist(), values.mean.tolist()) == ([1, 0], [1, 5], [1, 2.5])


@pytest.mark.parametrize("axis", ["first", "last", "none"])
def test_large_arrays_are_looked_at_in_pieces(tmp_path, monkeypatch, axis):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32))
    source = numpy(Side("train", "input", str(tmp_path / "a.npy")), channel_axis=axis)
    dataset = Dataset(Pipeline(source, Part("input")))
    whole = survey(dataset).inputs
    monkeypatch.setattr(module, "_PIECE", 100)
    pieces = survey(dataset).inputs
    channels = next(iter(whole.values))
    assert pieces.shapes == whole.shapes
    np.testing.assert_allclose(pieces.values[channels].deviation, whole.values[channels].deviation)


def test_files_that_cannot_be_read_are_all_told(digits):
    for name in ("0/0.png", "1/9.png"):
        (digits / "training" / name).write_bytes(b"")
    faults = survey(pictures(digits / "training")).faults
    assert [fault.split(": ")[0].removeprefix(f"{digits}/training/") for fault in faults] == ["0/0.png", "1/9.png"]


def test_numbers_that_are_not_finite_are_told_and_not_measured(arrays):
    found = survey(arrays([np.array([[1.0, np.nan, 3.0]]), np.array([[np.inf] * 3])]))
    assert [fault.rpartition("/")[2] for fault in found.faults] == [
        f"{index}.npy: {count} of 3 values are not a number or infinite; repair the file, for instance by putting a "
        "number in their place, or remove it"
        for index, count in ((0, 1), (1, 3))
    ]
    assert found.inputs.values[1].mean.tolist() == [2]


def test_the_same_sample_twice(arrays):
    one, other = np.arange(6.0).reshape(1, 2, 3), np.ones((1, 2, 3)) * [1, 2, 3]
    found = survey(arrays([one, other, one]))
    assert [[place[-5:] for place in places] for places in found.duplicates] == [["0.npy", "2.npy"]]


def test_samples_of_a_single_value_are_no_duplicates(arrays):
    assert survey(arrays([np.zeros((1, 2, 3))] * 2)).duplicates == []


def test_equal_numbers_in_another_shape_are_no_duplicates(arrays):
    assert survey(arrays([np.arange(6.0).reshape(1, 2, 3), np.arange(6.0).reshape(1, 3, 2)])).duplicates == []


def test_the_same_sample_in_two_sets(digits, write):
    write(digits / "training" / "0" / "x.png", np.arange(24, dtype=np.uint8).reshape(4, 6))
    write(digits / "testing" / "1" / "y.png", np.arange(24, dtype=np.uint8).reshape(4, 6))
    shared = survey(pictures(digits / "training")).shared(survey(pictures(digits / "testing")))
    assert [[place.removeprefix(f"{digits}/") for place in places] for places in shared] == [
        ["training/0/x.png", "testing/1/y.png"]
    ]


@pytest.mark.parametrize("extent", [(), (0, 4)], ids=["no axis in space", "nothing"])
def test_what_has_no_extent_has_no_proportions(extent):
    assert not _distorted(extent, extent)


def test_class_maps_of_another_extent_are_told(arrays, tmp_path):
    found = survey(arrays([np.zeros((1, 2, 3))] * 2, [np.zeros((2, 3), int), np.zeros((2, 4), int)]))
    assert found.unequal == [f"{tmp_path}/input/1.npy is 2 x 3, {tmp_path}/target/1.npy is 2 x 4"]


def test_samples_that_do_not_fit_into_one_batch_are_told_once(arrays):
    found = survey(arrays([np.zeros((1, 2, width)) for width in (3, 3, 4, 5)]))
    (misfit,) = found.misfits
    assert "/0.npy is 2 x 3 x 1, " in misfit
    assert "/2.npy is 2 x 4 x 1 (channels last); " in misfit


def test_a_sample_that_is_faulty_by_itself_is_no_misfit(arrays):
    assert survey(arrays([np.zeros((1, 2, 3)), np.full((1, 2, 4), np.nan)])).misfits == []


def test_where_each_class_occurs_first(arrays, tmp_path):
    maps = [np.zeros((2, 3), int), np.array([[0, 1, 1], [7, 0, 1]]), np.ones((2, 3), int)]
    places = survey(arrays([np.zeros((1, 2, 3))] * 3, maps)).targets.first
    assert places == {0: f"{tmp_path}/target/0.npy", 1: f"{tmp_path}/target/1.npy", 7: f"{tmp_path}/target/1.npy"}


def test_few_samples_are_evenly_chosen():
    assert chosen(100, 3).tolist() == [0, 49, 99]


def test_a_limit_above_the_number_of_samples_takes_all():
    assert chosen(3, 10).tolist() == [0, 1, 2]
