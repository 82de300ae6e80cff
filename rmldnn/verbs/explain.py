"""`rmldnn explain optimizer.nesterov`: what a key, a section or a component means, and what it may be."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence

from rmldnn.config.explain import Key, Part, explain, value
from rmldnn.errors import ConfigError
from rmldnn.verbs import parser, plugged

DESCRIPTION = """\
Tells what a word of a configuration means.

  rmldnn explain optimizer.nesterov               a key
  rmldnn explain optimizer                        a section: what can be chosen
  rmldnn explain loss.Dice                        a component: its keys
  rmldnn explain nesterov                         a word, wherever it stands
  rmldnn explain loss.mine 'plugins=[my_module]'  a component of your own"""
_WIDEST = 120


def main(arguments: Sequence[str]) -> int:
    """Prints what some words mean; returns the exit code."""
    options = parser("explain", "WORD [WORD ...]", DESCRIPTION)
    options.add_argument("words", nargs="+", metavar="WORD", help="as messages write it, such as data.batch_size")
    given = options.parse_args(list(arguments))
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    _, words = plugged(given.words)
    if not words:
        raise ConfigError("name a word to explain, such as optimizer.nesterov; see rmldnn explain --help")
    texts = ["\n".join(_told(item, width)) for word in words for item in explain(word)]
    print("\n\n".join(texts))
    return 0


def _told(item: Key | Part, width: int) -> Iterator[str]:
    if isinstance(item, Key):
        yield item.path + (f" ({', '.join(item.owners)})" if item.owners else "")
        yield from _lines(value(item.parameter), width)
        yield from _lines(item.meaning, width)
        return
    yield item.path
    for paragraph in item.text.split("\n\n"):
        yield from _lines(paragraph, width)
    if item.names:
        yield ""
        yield from _lines(f"One of these, by the key `{item.key}`:" if item.key else "One of these:", width)
        longest = max(len(name) for name, _ in item.names)
        for name, text in item.names:
            yield from _lines(text, width, f"    {name:<{longest}}  ")
    for key in item.keys:
        yield ""
        yield from _lines(value(key.parameter), width, f"  {key.parameter.name}: ")
        yield from _lines(key.meaning, width, "      ")


def _lines(text: str, width: int, head: str = "  ") -> list[str]:
    """Text in lines; those behind the first stand under it, or six columns in if it has a head."""
    margin = head if head.isspace() else " " * 6
    return textwrap.wrap(" ".join(text.split()), width, initial_indent=head, subsequent_indent=margin)
