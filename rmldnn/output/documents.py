"""Documents for people: laid out at a terminal, as they are written in a file."""

from __future__ import annotations

from rich.console import Console
from rich.markdown import Markdown


def print_document(text: str) -> None:
    """Prints Markdown to standard output."""
    screen = Console()
    if screen.is_terminal:
        screen.print(Markdown(text))
    else:
        screen.file.write(text)
