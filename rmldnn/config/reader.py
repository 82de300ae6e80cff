"""From the text of a configuration file to plain values that remember their lines.

JSON with comments (`//`, `/* */`, `#`) and trailing commas, and YAML. The standard readers forget where a value stood
and let the second of two equal keys win in silence; messages that name `config.json:14` need neither.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from rmldnn.disk import near
from rmldnn.errors import ConfigError, Problem, Remedy

Location = tuple[str | int, ...]
"""Keys and list positions from the top of a document to a value."""

MAX_DEPTH = 100
MAX_DIGITS = 100
MAX_VALUES = 500_000


@dataclass
class Document:
    """A configuration file: its values, the line of each, and what was wrong with its text.

    Args:
        name: The file as the user called it.
        value: Plain values (dict, list, str, int, float, bool, None).
        lines: Line of each value, by location.
        problems: Faults that did not stop the reading: duplicate keys, missing commas.
        elsewhere: `file:line` of values that came from another file.
    """

    name: str
    value: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    elsewhere: dict[Location, str] = field(default_factory=dict)

    def place(self, location: Location) -> str:
        """`file:line` of a location, or of the nearest enclosing value that has a line."""
        while location and location not in self.lines and location not in self.elsewhere:
            location = location[:-1]
        if location in self.elsewhere:
            return self.elsewhere[location]
        return f"{self.name}:{self.lines[location]}" if location in self.lines else self.name

    def record(self, location: Location, line: int, message: str, *, mild: bool = False) -> None:
        """Notes a fault of the text and goes on."""
        self.problems.append(Problem(dotted(location), message, f"{self.name}:{line}", mild))

    def record_twice(self, location: Location, line: int) -> int:
        """Notes that a key is there already; returns the number of the problem, for `said_the_same`."""
        message = f"`{location[-1]}` is written twice, here and in line {self.lines[location]}; remove one of them"
        self.record(location, line, message, mild=True)
        return len(self.problems) - 1

    def said_the_same(self, number: int, key: str) -> None:
        """Notes of a key that is there twice that one of both can go."""
        self.problems[number] = replace(self.problems[number], remedy=Remedy("line", key))


def dotted(location: Location) -> str:
    """A location in the words of messages: `data.transforms[0].resize`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read(path: str | Path) -> Document:
    """Reads a configuration file, JSON or (by its suffix) YAML.

    Raises:
        ConfigError: The file cannot be read, or its text cannot be understood; names file and line.
    """
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        meant = f"; did you mean `{there}`?" if (there := near(name)) else ""
        raise ConfigError(Problem("", f"no such configuration file{meant}", name)) from None
    except IsADirectoryError:
        raise ConfigError(Problem("", "is a folder; name the configuration file in it", name)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(Problem("", f"is no text in UTF-8 (byte {error.start})", name)) from None
    except OSError as error:
        raise ConfigError(Problem("", f"cannot be read: {error.strerror}", name)) from None
    return read_text(text, name)


def read_text(text: str, name: str) -> Document:
    """Reads the text of a configuration; `name` serves messages and tells YAML from JSON."""
    document = Document(name)
    if name.lower().endswith((".yaml", ".yml")):
        _read_yaml(text, document)
    else:
        _Json(text, document).read()
    return document


_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n\ufeff]+|//[^\n]*|\#[^\n]*|/\*.*?\*/)
      | (?P<mark>[{}\[\],:])
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.]))
      | (?P<word>(?:true|false|null)\b)
      | (?P<other>"[^\n]*|/\*.*|'[^'\n]*'?|[^\s{}\[\],:"']+|.)""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"true": True, "false": False, "null": None}
_END = ("end", "", 0)


class _Json:
    """A recursive-descent reader over the tokens of one document."""

    def __init__(self, text: str, document: Document) -> None:
        self.document = document
        self.tokens = self._scan(text)
        self.position = 0

    @staticmethod
    def _scan(text: str) -> list[tuple[str, str, int]]:
        tokens, line = [], 1
        for match in _TOKEN.finditer(text):
            kind, word = str(match.lastgroup), match.group()
            if kind != "blank":
                tokens.append((kind, word, line))
            line += word.count("\n")
        return tokens

    def read(self) -> None:
        if self.tokens and self.tokens[-1][1].startswith("/*"):
            self._stop((), self.tokens[-1][2], "this comment has no end; write `*/` behind it")
        self.document.value = self._value((), 0)
        if self.position < len(self.tokens):
            _, word, line = self.tokens[self.position]
            self._stop((), line, f"the configuration ends before this {_quoted(word)}; remove what follows, or a brace")

    def _peek(self) -> tuple[str, str, int]:
        return self.tokens[self.position] if self.position < len(self.tokens) else _END

    def _next(self) -> tuple[str, str, int]:
        token = self._peek()
        self.position += 1
        return token

    def _stop(self, location: Location, line: int, message: str) -> None:
        self.document.record(location, line, message)
        raise ConfigError(self.document.problems)

    def _last_line(self) -> int:
        return self.tokens[min(self.position, len(self.tokens)) - 1][2] if self.tokens else 1

    def _value(self, location: Location, depth: int) -> Any:
        kind, word, line = self._next()
        self.document.lines.setdefault(location, line)
        if depth > MAX_DEPTH:
            self._stop(location[:3], line, f"is nested deeper than {MAX_DEPTH} levels")
        if word == "{" and kind == "mark":
            return self._object(location, line, depth)
        if word == "[" and kind == "mark":
            return self._list(location, line, depth)
        if kind == "string":
            return self._string(location, word, line)
        if kind == "number":
            return self._number(location, word, line)
        if kind == "word":
            return _WORDS[word]
        return self._refuse(location, kind, word, line)

    def _refuse(self, location: Location, kind: str, word: str, line: int) -> None:
        if kind == "end":
            self._stop(location, self._last_line(), "the file ends where a value should stand")
        if word.startswith('"'):
            self._stop(location, line, f"this text has no closing quote: {word[:40]}")
        if word.startswith("'"):
            self._stop(location, line, f'texts stand in double quotes: "{word.strip(chr(39))}", got {word[:40]}')
        if word.startswith("/*"):
            self._stop(location, line, "this comment is never closed with */")
        if word in ("NaN", "Infinity", "-Infinity", "nan", "inf", "-inf"):
            self._stop(location, line, f"{word} is no number that a configuration can hold")
        if word.lower() in ("true", "false", "none", "null"):
            right = {"none": "null"}.get(word.lower(), word.lower())
            self._stop(location, line, f"write `{right}`, got `{word}`")
        if kind == "mark":
            self._stop(location, line, f"a value should stand here, got {_quoted(word)}")
        self._stop(
            location, line, f"{_quoted(word[:40])} is no value; texts stand in double quotes, numbers as 1, 0.5, 1e-4"
        )

    def _string(self, location: Location, word: str, line: int) -> str:
        try:
            return str(json.loads(word, strict=False))
        except ValueError as error:
            self._stop(location, line, f"{word[:40]}: {getattr(error, 'msg', error)} (a backslash is written twice)")
            raise AssertionError from error

    def _number(self, location: Location, word: str, line: int) -> int | float:
        whole = word.lstrip("-").isdigit()
        number = int(word) if whole and len(word) < MAX_DIGITS else float(word)
        if isinstance(number, float) and (whole or not math.isfinite(number)):
            self._stop(location, line, f"{word[:40]} is too large a number")
        return whole_number(word, number)

    def _object(self, location: Location, opened: int, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while self._peek()[:2] != ("mark", "}"):
            kind, word, line = self._next()
            if kind == "end":
                self._stop(location, self._last_line(), f"the brace opened in line {opened} is never closed")
            if kind != "string":
                hint = f'; keys stand in double quotes: "{word.strip(chr(39))}"' if kind in ("other", "word") else ""
                self._stop(location, line, f"a key should stand here, got {_quoted(word[:40])}{hint}")
            key = self._string(location, word, line)
            place: Location = (*location, key)
            twice = self.document.record_twice(place, line) if key in values else None
            self.document.lines[place] = line
            kind, word, line = self._next()
            if (kind, word) != ("mark", ":"):
                self._stop(
                    place, line or self._last_line(), f"a colon should follow the key `{key}`, got {_quoted(word)}"
                )
            value = self._value(place, depth + 1)
            if twice is not None and json.dumps(values[key]) == json.dumps(value):
                self.document.said_the_same(twice, key)
            values[key] = value
            self._comma(location, "}")
        self.position += 1
        return values

    def _list(self, location: Location, opened: int, depth: int) -> list[Any]:
        values: list[Any] = []
        while self._peek()[:2] != ("mark", "]"):
            if self._peek() is _END:
                self._stop(location, self._last_line(), f"the bracket opened in line {opened} is never closed")
            values.append(self._value((*location, len(values)), depth + 1))
            self._comma(location, "]")
        self.position += 1
        return values

    def _comma(self, location: Location, closing: str) -> None:
        """Eats the comma after an item; one that is missing is noted, and reading goes on as if it stood there."""
        kind, word, line = self._peek()
        if (kind, word) == ("mark", ","):
            self.position += 1
        elif (kind, word) != ("mark", closing) and kind != "end":
            before = self.tokens[self.position - 1]
            if kind == "mark" and word not in "{[":
                self._stop(location, line, f"`,` or `{closing}` should stand here, got {_quoted(word)}")
            message = f"a comma is missing after {_quoted(before[1][:40])}, before {_quoted(word[:40])}"
            self.document.record(location, before[2], message)


def whole_number(text: str, number: int | float) -> int | float:
    """A number as it was meant: `1e6` is a whole one, `1.0` and `1e-6` are none."""
    short = "e" in text.lower() and number == int(number) and abs(number) < _EXACT
    return int(number) if short else number


_EXACT = 2**53
"""Below it, a whole number is the same in floating point."""


def _quoted(word: str) -> str:
    return f"`{word}`" if word else "the end of the file"


class _YamlLoader(yaml.SafeLoader):
    """YAML as people mean it: `1e-4` is a number, `010` is ten, `on`, `1:30` and dates are texts."""


_NUMBER = re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$")
_BOOL = re.compile(r"^(?:true|True|false|False)$")
_NULL = re.compile(r"^(?:~|null|Null|)$")
_YamlLoader.yaml_implicit_resolvers = {}
_YamlLoader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))
_YamlLoader.add_implicit_resolver("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""])
_YamlLoader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+0123456789."))


def _scalar(node: yaml.Node, document: Document, location: Location) -> Any:
    """The value of a scalar, whose tag was found by the resolvers above or written by the user."""
    tag, text = node.tag.rpartition(":")[2], node.value
    if tag == "bool" and _BOOL.match(text):
        return text.lower() == "true"
    if tag == "null" and _NULL.match(text):
        return None
    if tag == "float" and _NUMBER.match(text):
        whole = text.lstrip("+-").isdigit()
        number = int(text) if whole and len(text) < MAX_DIGITS else float(text)
        if isinstance(number, int) or (not whole and math.isfinite(number)):
            return whole_number(text, number)
    elif tag == "str":
        return text
    document.record(location, node.start_mark.line + 1, f"{text[:40]!r} is no value of a configuration; quote a text")
    raise ConfigError(document.problems)


def _read_yaml(text: str, document: Document) -> None:
    try:
        loader = _YamlLoader(text)
        node = loader.get_single_node()
        document.value = _plain(node, document, (), [0]) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(Problem("", f"{error.problem or error.context}", f"{document.name}:{line}")) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(Problem("", str(error).splitlines()[0], document.name)) from None
    except RecursionError:
        raise ConfigError(Problem("", f"is nested deeper than {MAX_DEPTH} levels", document.name)) from None


def _plain(node: yaml.Node, document: Document, location: Location, count: list[int]) -> Any:
    line = node.start_mark.line + 1
    document.lines.setdefault(location, line)
    count[0] += 1
    if count[0] > MAX_VALUES or len(location) > MAX_DEPTH:
        document.record(location[:3], line, "is too large or too deep; aliases that multiply are not expanded")
        raise ConfigError(document.problems)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, document, (*location, index), count) for index, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node, document, location)
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        place: Location = (*location, key)
        key_line = key_node.start_mark.line + 1
        twice = document.record_twice(place, key_line) if key in values else None
        document.lines[place] = key_line
        value = _plain(value_node, document, place, count)
        if twice is not None and json.dumps(values[key]) == json.dumps(value):
            document.said_the_same(twice, key)
        values[key] = value
    return values
