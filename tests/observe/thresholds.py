#!/usr/bin/env python3
"""Can the rules' unit tests fail? Every threshold of every alert is moved by half, up and down, and every `for` is halved and doubled; promtool must notice.

    thresholds.py PROMTOOL                          every alert
    thresholds.py PROMTOOL --named AuscultNoChunks  one alert; may be repeated
"""

import argparse
import concurrent.futures
import copy
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "helm/auscult/files/rules"
TESTS = ROOT / "tests/rules"
# A number that something is compared with; what follows is no part of a longer word, such as a range.
THRESHOLD = re.compile(r"(?<=[<>=] )(\d+(?:\.\d+)?)(?![\w.])")
# Where only whole numbers are there, half as much again says nothing.
WHOLE = "> 0", "== 0", "== 1", ">= 3"


def moved(expression: str):
    """The expression with one threshold changed, for each threshold and change."""
    for match in THRESHOLD.finditer(expression):
        number, operator = float(match[1]), expression[:match.start()].rsplit(maxsplit=1)[-1]
        # Only there so that nothing is divided by.
        if expression[match.end():].startswith(")"):
            continue
        changes = [number + 2] if f"{operator} {match[1]}" in WHOLE else [number * 1.5, number / 1.5]
        for change in changes:
            yield f"{operator} {match[1]} → {change:g}", f"{expression[:match.start()]}{change:g}{expression[match.end():]}"


def minutes(duration: str) -> float:
    return int(duration[:-1]) * {"s": 1 / 60, "m": 1, "h": 60}[duration[-1]]


def mutants(rules: dict):
    for group, each in enumerate(rules["groups"]):
        for number, rule in enumerate(each["rules"]):
            changed = [(what, "expr", expression) for what, expression in moved(rule["expr"])]
            for factor in (0.5, 2):
                changed.append((f"for {rule['for']} × {factor}", "for", f"{int(minutes(rule['for']) * factor * 60)}s"))
            for what, field, value in changed:
                mutant = copy.deepcopy(rules)
                mutant["groups"][group]["rules"][number][field] = value
                yield rule["alert"], what, mutant


def tests_of(alert: str) -> dict:
    """Those of the unit tests that ask for this alert, by file."""
    found = {}
    for name in ("alerts.yaml", "thresholds.yaml"):
        tests = yaml.safe_load((TESTS / name).read_text())
        tests["tests"] = [test for test in tests["tests"] if re.search(rf"\b{alert}\b", str(test))]
        if tests["tests"]:
            found[name] = tests
    return found


def is_noticed(promtool: str, alert: str, mutant: dict) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        shutil.copytree(RULES, path / "helm/auscult/files/rules")
        (path / "tests/rules").mkdir(parents=True)
        for name, tests in tests_of(alert).items():
            (path / "tests/rules" / name).write_text(yaml.safe_dump(tests))
        (path / "helm/auscult/files/rules/alerts.yaml").write_text(yaml.safe_dump(mutant))
        done = subprocess.run([promtool, "test", "rules", *(path / "tests/rules").iterdir()], capture_output=True, text=True)
        return done.returncode != 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("promtool")
    parser.add_argument("--named", action="append", default=[])
    arguments = parser.parse_args()
    promtool = arguments.promtool
    rules = yaml.safe_load((RULES / "alerts.yaml").read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    if unknown := set(arguments.named) - alerts:
        sys.exit(f"thresholds.py: no rule has these names: {sorted(unknown)}")
    alerts = set(arguments.named) or alerts
    if failing := [alert for alert in alerts if is_noticed(promtool, alert, rules)]:
        sys.exit(f"thresholds.py: the unit tests fail as it is: {failing}")
    made = [each for each in mutants(rules) if each[0] in alerts]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        noticed = list(pool.map(lambda each: is_noticed(promtool, each[0], each[2]), made))
    for (alert, what, _), is_seen in zip(made, noticed):
        if not is_seen:
            print(f"WRONG {alert}: {what}: no test notices")
    print(f"{sum(noticed)} of {len(noticed)} changes of thresholds and durations noticed")
    return 0 if all(noticed) else 1


if __name__ == "__main__":
    sys.exit(main())
