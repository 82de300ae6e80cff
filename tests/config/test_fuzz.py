"""Configurations that are wrong in ways nobody thought of: a message with a place in the file, and nothing else."""

import copy
import json
import random
import string
from pathlib import Path

import pytest

from rmldnn.config import catalog, spec, translate
from rmldnn.config.reader import read
from rmldnn.errors import ConfigError

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "recipes", ROOT.parent / "shared" / "upstream"]
CASES = 20_000
"""Mutated configurations; one of `COMPOSED` that is still right is composed by Hydra as well."""
COMPOSED = 10
PARTS = 8

WORDS = [*(form.name for group in catalog.GROUPS for form in catalog.group(group).values()), "type", "function", "name"]
VALUES = [
    None, True, False, 0, 1, -1, 3, 0.5, 1e308, 10**30, "", "x", "auto", "./train/", "${oc.env:HOME}", "???", "\0", "é",
    [], {}, [[]], [None], {"": 1}, [1, 2, 3], ["a", "b"], {"type": "Adam"}, {"function": "MSE"},
    {"a": {"b": {"c": {}}}}, {"_target_": "os.system"}, [{"resize": [4, 4]}],
]  # fmt: skip


def known():
    for path in sorted(path for folder in FOLDERS for path in folder.rglob("*.json")):
        try:
            value = read(path).value
        except ConfigError:
            continue
        if isinstance(value, dict) and "neural_network" in value:
            yield value


def containers(value):
    """All objects and lists in a value."""
    if isinstance(value, (dict, list)) and value:
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from containers(item)


def any_value(chance):
    return copy.deepcopy(chance.choice(VALUES))


def typo(word, chance):
    at = chance.randrange(len(word) + 1)
    letter = chance.choice(string.ascii_letters + "_. []{}\"'$~@/\\\n\0é")
    return chance.choice(
        [word[:at] + letter + word[at:], word[:at] + word[at + 1 :], word[:at] + letter + word[at + 1 :]]
    )


def mutate(value, chance):
    """Spoils one place of a configuration."""
    places = [*containers(value)]
    if not places:
        return
    place = chance.choice(places)
    if isinstance(place, list):
        at = chance.randrange(len(place))
        match chance.randrange(4):
            case 0:
                del place[at]
            case 1:
                place.append(copy.deepcopy(place[at]))
            case 2:
                place[at] = any_value(chance)
            case 3:
                place.insert(at, chance.choice(WORDS))
        return
    key = chance.choice([*place])
    match chance.randrange(7):
        case 0:
            del place[key]
        case 1:
            place[typo(key, chance)] = place.pop(key)
        case 2:
            place[key] = any_value(chance)
        case 3:
            place[key] = [place[key]]
        case 4:
            place[chance.choice(WORDS)] = any_value(chance)
        case 5:
            place[key] = typo(place[key], chance) if isinstance(place[key], str) else str(place[key])
        case 6:
            other = chance.choice([item for item in places if isinstance(item, dict)])
            other[key] = copy.deepcopy(place[key])


def spoilt(originals, chance):
    value = json.loads(chance.choice(originals))
    for _ in range(chance.choice([1, 1, 1, 2, 3, 5])):
        mutate(value, chance)
    text = json.dumps(value, indent=1)
    while chance.random() < 0.2:
        at = chance.randrange(len(text))
        text = (
            text[:at]
            + chance.choice(["", '"', "{", "}", "[", "]", ",", ":", "\\", "//", "\n", "0", "\0", "NaN"])
            + text[at + 1 :]
        )
    return text


@pytest.fixture(scope="module")
def originals():
    return [json.dumps(value) for value in known()]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_wrong_is_told_with_its_place(tmp_path, originals, part):
    chance = random.Random(part)
    file = tmp_path / "config.json"
    for number in range(CASES // PARTS):
        text = spoilt(originals, chance)
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            loaded = spec.load(file)
            if number % COMPOSED == 0:
                translate.compose(loaded)
        except ConfigError as error:
            for problem in error.problems:
                assert str(file) in problem.place, (text, problem)
                assert problem.message, text
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}\n{text}") from error
