"""Break the kernel in many small ways (mutants), and list the mutants that no test detects.

    python -m tests.mutants --seed 1 --count 300

The guide's page *mutants* says how to read the result.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import attrs

ROOT = Path(__file__).resolve().parents[2]


def copy_tree(tree: Path) -> None:
    """Copy all files of the working tree that git does not ignore, in their present state."""
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() or source.is_file():
            shutil.copy2(source, target, follow_symlinks=False)


FINISHED = (0, 1, 5)
"""Exit codes of pytest after a complete session: passed, with failures, and without selected tests."""


def worker(tree: Path, *arguments: object) -> None:
    """Run a process of `tests.mutants.worker` in the copied tree. Raise SystemExit if pytest did not
    complete.
    """
    command = [sys.executable, "-m", "tests.mutants.worker", *map(str, arguments)]
    code = subprocess.run(command, cwd=tree, check=False).returncode
    if code not in FINISHED:
        raise SystemExit(f"{arguments[0]} ended with {code}: see the error above, then repeat the command")


def draw(tree: Path, folder: Path, seed: int, count: int, under: list[str]) -> list[dict[str, Any]]:
    """Draw a random sample of all mutants, or of the mutants whose paths begin with a prefix in `under`. The
    list of all mutants is computed only once for each copy of the tree.
    """
    from tests.mutants.mutation import mutants, sources

    listed = folder / "mutants.json"
    if not listed.exists():
        found = [attrs.asdict(mutant) for path in sources(tree) for mutant in mutants(tree, path)]
        listed.write_text(json.dumps(found))
    population: list[dict[str, Any]] = json.loads(listed.read_text())
    if under:
        population = [each for each in population if each["path"].startswith(tuple(under))]
    sample = random.Random(seed).sample(population, min(count, len(population)))
    print(f"{len(sample)} of {len(population)} mutants, seed {seed}")
    return sample


def key(mutant: dict[str, Any]) -> tuple[str, int]:
    """Return the path of the mutant's file, and the number of the mutant in this file."""
    return mutant["path"], mutant["number"]


def report(sample: list[dict[str, Any]], results: Path) -> None:
    """Print the mutants that were not killed, and the number of mutants with each outcome."""
    outcomes = {key(each): each for each in map(json.loads, results.read_text().splitlines())}
    found = [outcomes[key(each)] for each in sample if key(each) in outcomes]
    for each in sorted(found, key=key):
        if each["status"] != "killed":
            print(f"{each['status']} {each['path']}:{each['line']} ({each['operator']}, {each['ran']} tests)")
            print(f"    - {each['before']}\n    + {each['after']}")
    counts = Counter(each["status"] for each in found)
    noticed = counts["killed"] + counts["timeout"]
    print(", ".join(f"{number} {status}" for status, number in counts.most_common()))
    print(f"{noticed} of {len(found)} noticed: {100 * noticed / max(len(found), 1):.1f} %")


def main() -> int:
    """Copy the tree and measure the tests, unless an earlier run has done so. Run the mutants that have no
    result yet.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample")
    parser.add_argument("--count", type=int, default=300, help="mutants to draw")
    parser.add_argument("--budget", type=float, default=60, help="seconds of tests for each mutant")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "simkernel-mutants")
    parser.add_argument("--anew", action="store_true", help="copy the tree again, and measure all tests")
    parser.add_argument(
        "--add", nargs="+", metavar="PATH", help="copy these tests again, and measure only them"
    )
    parser.add_argument("--survivors", action="store_true", help="run the survivors of this seed again")
    parser.add_argument(
        "--under", nargs="+", default=[], metavar="PATH", help="draw only mutants of these files"
    )
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    tree = folder / "tree"
    if arguments.anew:
        shutil.rmtree(folder, ignore_errors=True)
    if not (folder / "seconds.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        copy_tree(tree)
        worker(tree, "measure", folder)
    if arguments.add:
        for path in arguments.add:
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, tree / path)
        worker(tree, "measure", folder, *arguments.add)
    sample = draw(tree, folder, arguments.seed, arguments.count, arguments.under)
    results = folder / f"results-{arguments.seed}.jsonl"
    results.touch()
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    done = {key(each): each["status"] for each in lines}
    again = {"survived"} if arguments.survivors else set()
    todo = [each for each in sample if done.get(key(each)) in again or key(each) not in done]
    if todo:
        (folder / "todo.json").write_text(json.dumps(todo))
        worker(tree, "kill", folder, results, arguments.budget)
    report(sample, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
