import os

import pytest

from rmldnn.data.discovery import denied, discover
from rmldnn.data.source import Side
from rmldnn.errors import DataError


def found(path, which="train"):
    return discover(Side(which, "input", str(path)), {".png"}, "images")


def create(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_are_found_in_all_folders_below_and_sorted_by_path(tmp_path):
    create(tmp_path, "b/2.png", "b/1.png", "a/deep/3.png", "0.png")
    assert found(tmp_path) == (f"{tmp_path}/", ["0.png", "a/deep/3.png", "b/1.png", "b/2.png"])


def test_case_of_suffixes_does_not_matter(tmp_path):
    create(tmp_path, "a.PNG")
    assert found(tmp_path)[1] == ["a.PNG"]


def test_hidden_and_other_files_are_passed_over(tmp_path):
    create(tmp_path, "a.png", ".b.png", ".hidden/c.png", "notes.txt", "png")
    assert found(tmp_path)[1] == ["a.png"]


def test_a_single_file_will_do(tmp_path):
    create(tmp_path, "a.png", "b.png")
    assert found(tmp_path / "a.png") == (f"{tmp_path}/", ["a.png"])


def test_links_are_followed(tmp_path):
    create(tmp_path, "real/a.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "real")
    assert found(tmp_path / "set")[1] == ["linked/a.png"]


def test_a_link_in_a_circle_is_not(tmp_path):
    create(tmp_path, "a/1.png")
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    assert found(tmp_path)[1] == ["a/1.png"]


def test_a_missing_folder_is_named_with_its_key(tmp_path):
    with pytest.raises(DataError, match=r"data\.test_input_path: `.*/nowhere` does not exist; .*working directory"):
        found(tmp_path / "nowhere", "test")


def test_an_empty_folder_is_named_with_its_key(tmp_path):
    with pytest.raises(DataError, match=r"data\.input_path: no images in"):
        found(tmp_path)


def test_a_file_of_another_kind_is_named_with_its_key(tmp_path):
    create(tmp_path, "notes.txt")
    with pytest.raises(DataError, match=r"data\.input_path: `.*notes\.txt` is not a file of images"):
        found(tmp_path / "notes.txt")


def test_pipes_are_passed_over(tmp_path):
    create(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to(tmp_path / "b.png")
    assert found(tmp_path)[1] == ["a.png"]


def test_links_to_files_are_taken_dead_or_alive(tmp_path):
    create(tmp_path, "real.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    (tmp_path / "dead.png").symlink_to(tmp_path / "nowhere")  # an error when it is read
    assert found(tmp_path)[1] == ["dead.png", "link.png", "real.png"]


def test_a_single_pipe_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"data\.input_path: `.*a\.png` is neither a file nor a folder"):
        found(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory"), "it is gone, or a link that leads nowhere; put the file"),
        (PermissionError(13, "Permission denied"), "you are not allowed to; allow it by `chmod +r`, or remove it"),
        (OSError(5, "Input/output error"), "input/output error; repair or remove it"),
    ],
)
def test_why_a_file_cannot_be_opened(error, said):
    assert denied(error).startswith(said)
