import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.data.pairing import pair
from rmldnn.errors import DataError

stems = st.lists(
    st.text("ab1_-/.", min_size=1, max_size=6).filter(lambda s: s[-1] not in "./"), min_size=1, unique=True
)


@given(stems)
def test_files_of_the_same_path_belong_together(names):
    inputs = sorted(f"{name}.jpg" for name in names)
    assert pair(inputs, inputs, "target_path") == inputs


@given(stems)
def test_the_suffix_does_not_matter(names):
    inputs, targets = (sorted(f"{name}.{suffix}" for name in names) for suffix in ("jpg", "png"))
    assert [name[:-4] for name in pair(inputs, targets, "target_path")] == [name[:-4] for name in inputs]


def test_a_common_ending_does_not_matter():
    assert pair(["a.png", "a1.png"], ["a1_mask.png", "a_mask.png"], "target_path") == ["a_mask.png", "a1_mask.png"]


def test_a_common_folder_and_beginning_do_not_matter():
    inputs, targets = ["img/x_1.jpg", "img/x_2.jpg"], ["seg/m_1.png", "seg/m_2.png"]
    assert pair(inputs, targets, "target_path") == targets


def test_names_that_have_nothing_in_common_are_paired_in_order():
    assert pair(["a.png", "b.png"], ["x.png", "yy.png"], "target_path") == ["x.png", "yy.png"]


def test_different_counts_are_an_error():
    with pytest.raises(DataError, match=r"data\.target_path: .* 3 inputs and 2 targets"):
        pair(["a", "b", "c"], ["x", "yy"], "target_path")


def test_what_has_no_partner_is_listed():
    with pytest.raises(DataError, match=r"inputs without target: `b\.jpg`; targets without input: `c\.png`, `d\.png`"):
        pair(["a.jpg", "b.jpg"], ["a.png", "c.png", "d.png"], "target_path")


def test_equal_counts_with_other_names_are_an_error():
    with pytest.raises(DataError, match=r"inputs without target: `b\.jpg`; targets without input: `c\.png`"):
        pair(["a.jpg", "b.jpg"], ["a.png", "c.png"], "target_path")


def test_long_lists_are_cut():
    with pytest.raises(DataError, match=r"`01\.jpg`, .*`20\.jpg` and 9 more; they"):
        pair([f"{index:02}.jpg" for index in range(30)], ["00.png"], "target_path")


def test_a_single_input_and_a_single_target_always_belong_together():
    assert pair(["a.jpg"], ["vol.npz/x"], "target_path") == ["vol.npz/x"]


@pytest.mark.parametrize("targets", [["a.npy", "b.npy"], ["a.npy", "b.npy", "c.npy"]])
def test_two_inputs_of_one_name_are_an_error(targets):
    with pytest.raises(DataError, match=r"inputs of the same name: `a\.jpg`, `a\.png`;"):
        pair(["a.jpg", "a.png", "b.jpg"], targets, "target_path")


def test_two_targets_of_one_name_are_an_error():
    with pytest.raises(DataError, match=r"targets of the same name: `b\.png`, `b\.tif`;"):
        pair(["a.jpg", "b.jpg"], ["a.png", "b.png", "b.tif"], "target_path")


def test_arrays_in_archives_belong_together_by_their_names():
    inputs, targets = ["a/1.npz/x", "a/1.npz/y", "b/1.npz/x"], ["a/1.h5/x", "a/1.h5/y", "b/1.h5/x"]
    assert pair(inputs, targets, "target_path") == targets


def test_pictures_and_the_arrays_of_the_same_names_belong_together():
    assert pair(["a/1.jpg", "b/1.jpg"], ["a/1.npy", "b/1.npy"], "target_path") == ["a/1.npy", "b/1.npy"]


def test_pairs_by_order_are_told(said):
    pair(["a.png", "b.png"], ["x.png", "yy.png"], "target_path")
    assert "in sorted order, such as `a.png` with `x.png` and `b.png` with `yy.png`" in said()[0]


def test_one_of_a_kind_is_told_in_good_english():
    with pytest.raises(DataError, match="there is 1 input and 2 targets; targets without input: `b`"):
        pair(["a"], ["a", "b"], "target_path")
