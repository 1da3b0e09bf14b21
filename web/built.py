"""Whether the page that ships was built from the sources beside it. Needs no Node.

python web/built.py          fails when sources or built files have changed since the last build
python web/built.py --write  notes both after a build (scripts/web does this)
"""

import hashlib
import json
import sys
from pathlib import Path

WEB = Path(__file__).parent
PAGE = WEB.parent / "microturn" / "server" / "page"
RECORD = WEB / "built.json"
SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "src", "public")


def digests() -> dict[str, str]:
    """One digest of all sources, one of all built files."""
    sources = [path for name in SOURCES for path in _files(WEB / name)]
    return {"sources": _digest(WEB, sources), "page": _digest(PAGE, _files(PAGE))}


def main(arguments: list[str]) -> int:
    """Check, or write the record."""
    if arguments == ["--write"]:
        RECORD.write_text(json.dumps(digests(), indent=2) + "\n", encoding="utf-8")
        return 0
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    changed = [name for name, digest in digests().items() if digest != recorded[name]]
    if changed:
        sys.stderr.write(f"changed since the page was built: {', '.join(changed)}: run scripts/web\n")
    return 1 if changed else 0


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]


def _digest(root: Path, files: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(files, key=lambda each: each.relative_to(root).as_posix()):
        whole.update(path.relative_to(root).as_posix().encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
