#!/usr/bin/env python3
"""Which cases of the long suites a run has.

    rotation.py              this revision's part
    rotation.py 7            part 7
    rotation.py --all        every part, with its seconds

`tests/rotation.toml` lists the cases. Each belongs to one part; rotation number N runs part N modulo the number of parts, so that any ten rotations in
a row run every case of every suite.
"""

import argparse
import dataclasses
import datetime
import pathlib
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = ROOT / "tests/rotation.toml"


@dataclasses.dataclass(frozen=True)
class Case:
    suite: str
    name: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Cases:
    parts: int
    all: tuple[Case, ...]

    @staticmethod
    def read(path: pathlib.Path = LIST) -> "Cases":
        listed = tomllib.loads(path.read_text())
        cases = []
        for suite, entry in listed["suite"].items():
            for case in entry["cases"]:
                of_its_own = isinstance(case, dict)
                cases.append(Case(suite, case["name"] if of_its_own else case, case["seconds"] if of_its_own else entry["seconds"]))
        return Cases(listed["parts"], tuple(cases))

    def dealt(self) -> list[list[Case]]:
        """The parts: the longest case first, each to a part with the fewest cases of its suite, and among those to the one that is the shortest."""
        parts: list[list[Case]] = [[] for _ in range(self.parts)]
        # The sort is stable: cases of equal length keep the list's order.
        for case in sorted(self.all, key=lambda case: -case.seconds):
            min(parts, key=lambda part: (sum(other.suite == case.suite for other in part), seconds(part))).append(case)
        # In the list's order again, which is the order in which they run.
        return [sorted(part, key=self.all.index) for part in parts]

    def of(self, number: int) -> list[Case]:
        return self.dealt()[number % self.parts]


def seconds(cases: list[Case]) -> float:
    return sum(case.seconds for case in cases)


def git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True).stdout.strip()


def number_of_revision() -> tuple[int, str]:
    """This revision's rotation number, and what it was derived from.

    The number of commits on the first-parent line grows by one with each commit. A shallow clone does not know it and takes the commit's hash: then
    every case still has its turn, but by chance. A folder without git takes the date.
    """
    try:
        if git("rev-parse", "--is-shallow-repository") == "false":
            return int(git("rev-list", "--count", "--first-parent", "HEAD")), "commits on the first-parent line"
        return int(git("rev-parse", "HEAD")[:8], 16), "the commit's hash, for this clone is shallow"
    except (OSError, subprocess.CalledProcessError):
        return datetime.datetime.now(datetime.UTC).date().toordinal(), "the date, for this is no git checkout"


def main() -> int:
    parser = argparse.ArgumentParser(description="Prints the cases of a rotation, a line each: its suite, a tab, its name.")
    parser.add_argument("number", nargs="?", type=int, help="rotation number [default: this revision's]")
    parser.add_argument("--all", action="store_true", help="every part, with its seconds")
    arguments = parser.parse_args()
    cases = Cases.read()
    if arguments.all:
        for number, part in enumerate(cases.dealt()):
            print(f"part {number}: {seconds(part):.0f} s")
            for case in part:
                print(f"  {case.suite}\t{case.name}")
        return 0
    number = arguments.number
    if number is None:
        number, source = number_of_revision()
        print(f"rotation {number} ({source})", file=sys.stderr)
    for case in cases.of(number):
        print(f"{case.suite}\t{case.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
