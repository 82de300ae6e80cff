"""`rmldnn recipes`: what there is to start from."""

from __future__ import annotations

import difflib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from rmldnn.disk import reason
from rmldnn.errors import ConfigError, RmldnnError
from rmldnn.output.documents import print_document
from rmldnn.output.tables import print_table
from rmldnn.verbs import parser

DESCRIPTION = """\
Configurations, networks and data of tasks that work, with the numbers that they reach.

  rmldnn recipes                                      all of them
  rmldnn recipes show classification/digits           what one is, and how to run it
  rmldnn recipes copy classification/digits [FOLDER]  its files, to start from"""

KINDS = (".json", ".md", ".png", ".py")
"""What belongs to a recipe; all else in its folder comes from runs."""
_HEAD = re.compile(r"# (?P<title>.+)\n+(?P<summary>(?:.+\n)+)\n```\n(?P<commands>(?:.*\n)+?)```\n")
_EXPECTED = re.compile(
    r"^Expected (?P<metric>[^:]+): (?P<number>[\d.]+(?:e-?\d+)?)(?P<unit> ?%)? or (?P<way>more|less)(?P<where>[^,.]*), "
    r"in (?P<time>\d+ (?:seconds|minutes?)) on two cores\.",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Recipe:
    """What the README of a recipe says at its head.

    Args:
        name: Task and name: `classification/digits`.
        folder: Where it is.
        title: Its title.
        summary: What it is, in some sentences.
        commands: What to type, line by line.
        metric: What is measured at the end.
        number: What that must reach, as written.
        more: Whether larger is better.
        where: What it is measured on, if that is said.
        time: About how long all of it takes on two cores.
    """

    name: str
    folder: Path
    title: str
    summary: str
    commands: tuple[str, ...]
    metric: str
    number: str
    more: bool
    where: str
    time: str

    @property
    def expected(self) -> str:
        """What to expect, in a few words."""
        return f"{self.metric} {self.number} or {'more' if self.more else 'less'}"

    @property
    def files(self) -> list[Path]:
        """What belongs to it."""
        return sorted(path for path in self.folder.iterdir() if path.suffix in KINDS)


def main(arguments: Sequence[str]) -> int:
    """Lists, shows or copies; returns the exit code."""
    options = parser("recipes", "[show NAME | copy NAME [FOLDER]]", DESCRIPTION)
    options.add_argument("words", nargs="*", metavar="show NAME | copy NAME FOLDER", help="what to do; lists without")
    words = options.parse_args(list(arguments)).words
    match words:
        case []:
            _list()
        case ["show", name]:
            print_document((find(name).folder / "README.md").read_text(encoding="utf-8"))
        case ["copy", name]:
            copy(found := find(name), Path(found.name.rpartition("/")[2]))
        case ["copy", name, folder]:
            copy(find(name), Path(folder))
        case ["show" | "copy" as what]:
            raise ConfigError(f"name the recipe to {what}: {', '.join(one.name for one in recipes())}")
        case _:
            raise ConfigError(f"cannot be understood: {' '.join(words)}; see rmldnn recipes --help")
    return 0


def recipes() -> list[Recipe]:
    """All recipes, by name.

    Raises:
        ConfigError: A README has another form.
    """
    root = Path(str(files("rmldnn.recipes")))
    return [read(path.parent) for path in sorted(root.glob("*/*/README.md"))]


def read(folder: Path) -> Recipe:
    """A recipe, from its folder.

    Raises:
        ConfigError: Its README has another form than docs/recipes.md says.
    """
    text = (folder / "README.md").read_text(encoding="utf-8")
    head, expected = _HEAD.match(text), _EXPECTED.search(text)
    if head is None:
        raise ConfigError(f"{folder}/README.md: must begin with a title, what the recipe is, and its commands")
    if expected is None:
        raise ConfigError(
            f"{folder}/README.md: must have a line such as `Expected test accuracy: 0.97 or more, in 10 seconds on two "
            "cores.`"
        )
    return Recipe(
        f"{folder.parent.name}/{folder.name}",
        folder,
        head["title"],
        " ".join(head["summary"].split()),
        tuple(head["commands"].splitlines()),
        expected["metric"],
        expected["number"] + (expected["unit"] or ""),
        expected["way"] == "more",
        expected["where"].strip(),
        expected["time"],
    )


def find(name: str) -> Recipe:
    """The recipe of a name, with or without its task.

    Raises:
        ConfigError: There is none, or more than one.
    """
    everything = recipes()
    wanted = name.strip("/").lower()
    found = [one for one in everything if wanted in (one.name, one.name.rpartition("/")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"there are several recipes `{name}`: {', '.join(one.name for one in found)}; name the task")
    near = difflib.get_close_matches(
        wanted, [form for one in everything for form in (one.name, one.name.split("/")[1])]
    )
    hint = f"did you mean `{near[0]}`?" if near else "rmldnn recipes lists all"
    raise ConfigError(f"there is no recipe `{name}`; {hint}")


def copy(recipe: Recipe, folder: Path) -> None:
    """Copies the files of a recipe, and tells what to type next.

    Raises:
        ConfigError: Files of these names are there already; none is copied.
        RmldnnError: The folder cannot be written.
    """
    if present := [path.name for path in recipe.files if (folder / path.name).exists()]:
        raise ConfigError(f"`{folder}` has files of the same name: {', '.join(present)}; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in recipe.files:
            shutil.copyfile(path, folder / path.name)
    except OSError as error:
        raise RmldnnError(f"cannot write `{folder}`: {reason(error, folder)}") from error
    print(f"{recipe.title}: {', '.join(path.name for path in recipe.files)} in {folder}/")
    for line in (f"cd {folder}", *recipe.commands):
        print(f"  {line}")
    print(f"Expected {recipe.expected}{f' {recipe.where}' if recipe.where else ''}, in {recipe.time} on two cores.")


def _list() -> None:
    print_table(
        "",
        ["Recipe", "What it is", "Expected", ">Two cores"],
        [(one.name, one.title, one.expected, one.time) for one in recipes()],
    )
    print("rmldnn recipes copy RECIPE copies one to start from.")
