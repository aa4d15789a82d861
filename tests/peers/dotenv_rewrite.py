"""python-dotenv against rewritten files: the changed name reads as meant, every other name as before.

    python dotenv_rewrite.py CORPUS.json

The corpus is written by the test `config_rewrite::the_corpus_for_python_dotenv_is_written`: a list of objects with the texts
`before` and `after`, the `name` that was changed, the value `meant`, null for one that is not set, and `plain`, whether
releases before 1.2.4 read the file alike; those are asked only about plain ones. Says which pair is wrong and exits 1.
Needs python-dotenv, 0.15 or newer.
"""

import json
import logging
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from dotenv.main import dotenv_values

# Statements that cannot be read are part of the corpus; python-dotenv warns of each.
logging.disable(logging.WARNING)


def read(folder: Path, text: str) -> dict[str, str | None]:
    """What `load_dotenv` would take from this text, in an environment that has none of the names."""
    path = folder / "env"
    path.write_bytes(text.encode())
    return dict(dotenv_values(path, encoding="utf-8"))


def wrong(folder: Path, pair: dict) -> str | None:
    before, after = read(folder, pair["before"]), read(folder, pair["after"])
    found = after.pop(pair["name"], None)
    before.pop(pair["name"], None)
    if found != pair["meant"]:
        return f"{pair['name']} is {found!r}, meant {pair['meant']!r}"
    if before != after:
        return f"others were {before!r}, are {after!r}"
    return None


def main() -> None:
    release = version("python-dotenv")
    newest = tuple(map(int, release.split("."))) >= (1, 2, 4)
    pairs = [pair for pair in json.loads(Path(sys.argv[1]).read_bytes()) if newest or pair["plain"]]
    if len(pairs) < 100:
        raise SystemExit(f"the corpus has {len(pairs)} pairs, not enough to mean anything")
    with tempfile.TemporaryDirectory() as folder:
        faults = [(pair, fault) for pair in pairs if (fault := wrong(Path(folder), pair))]
    for pair, fault in faults[:10]:
        print(f"{fault}\n  before {pair['before']!r}\n  after  {pair['after']!r}")
    if faults:
        raise SystemExit(f"python-dotenv {release} reads {len(faults)} of {len(pairs)} pairs otherwise")
    print(f"python-dotenv {release} reads all {len(pairs)} rewritten files as meant")


if __name__ == "__main__":
    main()
