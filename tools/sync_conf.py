"""Writes what is derived from the signatures of the components: the component files of `conf/`, the reference of keys.

Usage: python tools/sync_conf.py [--check]

With --check nothing is written; the exit code is 1 if a file is missing, stale or no longer generated.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rmldnn.config.describe import conf_files, reference

ROOT = Path(__file__).parent.parent


def wanted() -> dict[Path, str]:
    """What the signatures say, text by path."""
    files = {ROOT / "conf" / name: text for name, text in conf_files().items()}
    return files | {ROOT / "docs" / "configuration.md": reference()}


def present() -> dict[Path, str]:
    """Generated files that there are."""
    candidates = [*ROOT.glob("conf/*/**/*.yaml"), *ROOT.glob("docs/*.md")]
    texts = {path: path.read_text(encoding="utf-8") for path in candidates}
    return {path: text for path, text in texts.items() if "Generated from " in text}


def main() -> int:
    """Writes, or with --check compares, all generated files."""
    new, old = wanted(), present()
    changed = sorted(path for path in new.keys() | old.keys() if new.get(path) != old.get(path))
    if "--check" in sys.argv[1:]:
        for path in changed:
            print(f"{path.relative_to(ROOT)}: differs from what the signatures say; run tools/sync_conf.py")
        return 1 if changed else 0
    for path in changed:
        if path in new:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(new[path], encoding="utf-8")
        else:
            path.unlink()
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
