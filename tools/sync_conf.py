"""Writes the component files of `conf/` from the signatures of the components.

Usage: python tools/sync_conf.py [--check]

With --check nothing is written; the exit code is 1 if a file is missing, stale or no longer generated.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rmldnn.config.describe import conf_files

CONF = Path(__file__).parent.parent / "conf"


def stale() -> list[str]:
    """Relative paths of files that differ from what the signatures say, in either direction."""
    wanted = conf_files()
    present = {str(path.relative_to(CONF)): path.read_text(encoding="utf-8") for path in CONF.glob("*/**/*.yaml")}
    generated = {name: text for name, text in present.items() if "# Generated from " in text}
    return sorted(name for name in wanted.keys() | generated.keys() if wanted.get(name) != present.get(name))


def main() -> int:
    """Writes, or with --check compares, all component files."""
    changed = stale()
    if "--check" in sys.argv[1:]:
        for name in changed:
            print(f"conf/{name}: differs from its signature; run tools/sync_conf.py")
        return 1 if changed else 0
    wanted = conf_files()
    for name in changed:
        path = CONF / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()
        print(f"conf/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
