"""`rmldnn recipes`: what it lists, shows and copies."""

import pytest

from rmldnn.cli import main
from rmldnn.verbs.recipes import recipes


@pytest.fixture
def say(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def say(*words, code=0):
        assert main(["recipes", *words]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return say


def test_all_recipes_are_listed_with_what_to_expect(say):
    rows = [line for line in say().splitlines() if "/" in line]
    assert [row.split()[0] for row in rows] == [one.name for one in recipes()]
    assert "test accuracy 0.97 or more" in next(row for row in rows if row.startswith("classification/digits"))


def test_a_readme_is_shown(say):
    assert say("show", "classification/digits").startswith("# Handwritten digits")


@pytest.mark.parametrize("name", ["classification/mnist", "mnist", "MNIST"])
def test_a_recipe_is_copied_with_what_to_type_next(say, tmp_path, name):
    text = say("copy", name, "here/")
    files = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert files == ["README.md", "config.json", "network.json", "picture.png", "prepare.py"]
    assert "  cd here\n  python prepare.py --stand-in" in text
    assert "  rmldnn config.json\n" in text


def test_without_a_folder_it_gets_the_name_of_the_recipe(say, tmp_path):
    say("copy", "mnist")
    assert (tmp_path / "mnist" / "config.json").exists()


def test_a_folder_with_other_files_is_used(say, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "notes.txt").write_text("mine")
    say("copy", "mnist", "here")
    assert (tmp_path / "here" / "config.json").exists()


def test_nothing_is_overwritten(say, tmp_path):
    (tmp_path / "config.json").write_text("mine")
    assert "`.` has files of the same name: config.json; name another folder" in say("copy", "mnist", ".", code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    assert (tmp_path / "config.json").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_told(say, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write `file/here`" in say("copy", "mnist", "file/here", code=1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["copy", "digts"], "there is no recipe `digts`; did you mean `"),
        (["show", "something"], "there is no recipe `something`; rmldnn recipes lists all"),
        (["copy"], "name the recipe to copy: classification/"),
        (["show"], "name the recipe to show: classification/"),
        (["paste", "mnist"], "cannot be understood: paste mnist; see rmldnn recipes --help"),
    ],
)
def test_a_wrong_command_is_told(say, words, message):
    assert message in say(*words, code=2)
