import numpy as np
import pytest

from rmldnn.cli import main


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize(("dims", "shape"), [(2, (1, 9, 9)), (3, (1, 9, 9, 9))])
def test_maps(tmp_path, capsys, dims, shape):
    assert (
        main(["generate", "diffusivity", str(tmp_path / "a/maps"), "--num", "3", "--size", "9", "--dims", str(dims)])
        == 0
    )
    assert "3 maps of 9 x 9" in capsys.readouterr().out
    assert sorted(contents(tmp_path / "a/maps")) == [f"diffusivity_{index}.npy" for index in range(3)]
    for file in (tmp_path / "a/maps").iterdir():
        field = np.load(file)
        assert field.shape == shape
        assert field.dtype == np.float32
        assert (field > 0).all()
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["maps"]  # nothing of the work is left


def test_any_number_of_processes_gives_the_same_bytes(tmp_path, rmldnn):
    for procs in (1, 2):
        assert main(["generate", "diffusivity", str(tmp_path / str(procs)), "--num", "5", "--procs", str(procs)]) == 0
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_fewer_maps_are_the_first_of_more(tmp_path):
    for num in ("2", "4"):
        main(["generate", "diffusivity", str(tmp_path / num), "--num", num, "--size", "5"])
    assert contents(tmp_path / "2").items() < contents(tmp_path / "4").items()


def test_lengths_along_each_axis(tmp_path):
    for name, more in [("one", []), ("same", ["--eta-y", "0.3"]), ("other", ["--eta-y", "0.9"])]:
        main(["generate", "diffusivity", str(tmp_path / name), "--num", "1", "--size", "7", "--eta", "0.3", *more])
    assert contents(tmp_path / "one") == contents(tmp_path / "same") != contents(tmp_path / "other")


def test_a_folder_that_is_not_empty_is_refused(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    arguments = ["generate", "diffusivity", str(tmp_path), "--num", "1", "--size", "4"]
    assert main(arguments) == 2
    assert "is not empty; name another folder, or replace files of the same names by --force" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0
    assert sorted(contents(tmp_path)) == ["diffusivity_0.npy", "mine.txt"]


def test_a_file_in_the_place_of_the_folder(tmp_path, capsys):
    (tmp_path / "maps").write_text("")
    assert main(["generate", "diffusivity", str(tmp_path / "maps")]) == 2
    assert "is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "1"], "--size: must be an integer of at least 2, got 1"),
        (["--num", "x"], "--num: must be an integer of at least 1, got x"),
        (["--eta", "0"], "--eta: must be a number greater than 0, got 0"),
        (["--dims", "4"], "--dims: invalid choice: 4"),
    ],
)
def test_wrong_numbers(tmp_path, capsys, words, message):
    assert main(["generate", "diffusivity", str(tmp_path / "maps"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "maps").exists()
