"""A configuration for each way of being wrong, and the very words that are said about it.

`broken.txt` has the cases: what of `right.json` (lines with `-`) is written otherwise (`+`), and the messages (`=`),
each with its line.
"""

import re
from pathlib import Path

import pytest

from rmldnn.config import spec, translate
from rmldnn.errors import ConfigError


def cases():
    for block in Path(__file__).with_name("broken.txt").read_text(encoding="utf-8").split("\n\n"):
        title, *lines = block.strip("\n").split("\n")
        parts = {sign: [line[2:] for line in lines if line[0] == sign] for sign in "-+="}
        yield pytest.param("\n".join(parts["-"]), "\n".join(parts["+"]), parts["="], id=title.removeprefix("## "))


CASES = list(cases())


@pytest.mark.parametrize(("right", "wrong", "messages"), CASES)
def test_what_is_said(tmp_path, monkeypatch, right, wrong, messages):
    monkeypatch.chdir(tmp_path)
    text = Path(__file__).with_name("right.json").read_text(encoding="utf-8")
    assert text.count(right) == 1
    Path("config.json").write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        translate.compose(spec.load("config.json"))
    assert [str(problem) for problem in caught.value.problems] == [f"config.json:{message}" for message in messages]


def test_what_they_are_made_of_is_right():
    assert translate.compose(spec.load(Path(__file__).with_name("right.json"))).notices == []


def test_each_message_says_what_to_do():
    """A near miss, what is legal, or how to write it."""
    remedies = re.compile(
        'did you mean|must be|write|known here|belongs to|is for|remove|set `|set "|needs?|takes|stands?|missing|only|'
        "twice|closing|no number|too large|other|leave|comma|should|under|give|there is no|lists|is said by|predict"
    )
    silent = [message for case in CASES for message in case.values[2] if not remedies.search(message)]
    assert silent == []
