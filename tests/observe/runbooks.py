#!/usr/bin/env python3
"""Every alert has a runbook with all its parts, every runbook an alert, every alert a severity, a `for` and unit tests."""

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs/runbooks"
PARTS = ["What it means", "What to look at", "What to do", "When it is harmless"]


def main():
    groups = [group for path in (ROOT / "helm/auscult/files/rules").glob("*.yaml") for group in yaml.safe_load(path.read_text())["groups"]]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    records = [rule["record"] for group in groups for rule in group["rules"] if "record" in rule]
    tests = [test for path in (ROOT / "tests/rules").glob("*.yaml") for test in yaml.safe_load(path.read_text())["tests"]]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    asked = " ".join(case["expr"] for test in tests for case in test.get("promql_expr_test", []))
    problems = []
    for alert in alerts:
        name = alert["alert"]
        annotations = alert["annotations"]
        if alert.get("labels", {}).get("severity") not in ("critical", "warning", "info"):
            problems.append(f"{name} has no severity")
        if "for" not in alert:
            problems.append(f"{name} has no `for`")
        problems.extend(f"{name} has no {part}" for part in ("summary", "description") if not annotations.get(part))
        if not annotations.get("runbook_url", "").endswith(f"/docs/runbooks/{name}.md"):
            problems.append(f"{name} does not link to its runbook")
        outcomes = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == name}
        if outcomes != {True, False}:
            problems.append(f"{name} is not unit-tested both to fire and not to")
        runbook = RUNBOOKS / f"{name}.md"
        if not runbook.is_file():
            problems.append(f"{name} has no runbook")
            continue
        text = runbook.read_text()
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        if headings != PARTS:
            problems.append(f"{runbook.name} has the parts {headings}, not {PARTS}")
        if not text.startswith(f"# {name}\n"):
            problems.append(f"{runbook.name} does not begin with its name")
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            if not (RUNBOOKS / link).exists():
                problems.append(f"{runbook.name} links to {link}, which is not there")
    known = {alert["alert"] for alert in alerts}
    problems.extend(f"{path.name} is of no alert" for path in RUNBOOKS.glob("Auscult*.md") if path.stem not in known)
    problems.extend(f"{record} is not unit-tested" for record in records if record not in asked)
    for problem in problems:
        print(f"WRONG {problem}")
    print(f"{len(alerts)} alerts with runbooks and tests, {len(records)} recording rules with tests" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
