#!/usr/bin/env python3
"""Asks a Prometheus that has scraped a real run every expression of every dashboard and every rule: none may be in error, none empty.

    evaluate.py PROMETHEUS_URL START_OF_THE_RUN NAMESPACE

What must be empty is listed below with the reason, and must be empty indeed.
"""

import json
import math
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = ROOT / "helm/auscult/files/dashboards"
RULES = ROOT / "helm/auscult/files/rules"

# Part of an expression, and why it has no answer here.
EMPTY = {
    "DCGM_FI_DEV_": "needs NVIDIA's DCGM exporter and a GPU",
}

# What the run of tests/observe.sh does to the fleet must be seen by these.
RAISED = {
    "AuscultDeadLetters": "one record in fifty is no sound",
    "AuscultFleetDrifting": "the training sound was of another week",
    "AuscultMachineIdle": "one machine is said to be at rest",
    "AuscultMachinesUnheard": "one machine of twelve has a dead microphone",
    "AuscultModelMismatch": "one machine has no model",
}


class Refused(Exception):
    """Prometheus has answered with an error."""


class Prometheus:
    def __init__(self, url):
        self.url = url

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Refused(json.load(error).get("error", str(error))) from None

    def series(self, expression, start, is_instant):
        """How many series have a number, now or at any time since the start."""
        now = time.time()
        if is_instant:
            result = self.get("query", query=expression, time=now)["result"]
            values = [[each["value"]] for each in result]
        else:
            result = self.get("query_range", query=expression, start=start, end=now, step=5)["result"]
            values = [each["values"] for each in result]
        return sum(any(not math.isnan(float(value)) for _, value in samples) for samples in values)


def substituted(text, values):
    for name, value in values.items():
        text = text.replace("${" + name + "}", value).replace("$" + name, value)
    # As Grafana does at a resolution of 15 s: four scrapes.
    return text.replace("$__rate_interval", "1m")


def choices(prometheus, variables, chosen):
    """The variables' values: All where there is one, or the first that there is. Those behind depend on those before."""
    values = {}
    for variable in variables:
        name = variable["name"]
        if variable["type"] == "datasource":
            continue
        asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
        selector, label = substituted(asked[1], values), asked[2]
        there = [value for value in prometheus.get(f"label/{label}/values", **{"match[]": selector}) if value]
        if not there:
            raise Refused(f"variable {name} has no values: {selector}")
        is_all = not chosen and variable.get("allValue")
        values[name] = variable["allValue"] if is_all else there[0]
    return values


def check_dashboards(prometheus, start, problems):
    asked = 0
    used = set()
    for path in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(path.read_text())
        for chosen in (False, True):
            try:
                values = choices(prometheus, dashboard["templating"]["list"], chosen)
            except Refused as error:
                problems.append(f"{path.name}: {error}")
                continue
            for panel in dashboard["panels"]:
                for target in panel.get("targets", []):
                    expression = substituted(target["expr"], values)
                    where = f"{path.name} / {panel['title']} / {target['refId']}"
                    asked += 1
                    if "$" in expression:
                        problems.append(f"{where}: a variable is left: {expression}")
                        continue
                    try:
                        count = prometheus.series(expression, start, target.get("instant", False))
                    except Refused as error:
                        problems.append(f"{where}: {error}: {expression}")
                        continue
                    reasons = [part for part in EMPTY if part in expression]
                    used.update(reasons)
                    # A single site or worker may well be without what the whole has: there it is enough not to be in error.
                    if count == 0 and not reasons and not chosen:
                        problems.append(f"{where}: empty: {expression}")
                    if count > 0 and reasons:
                        problems.append(f"{where}: not empty, though {EMPTY[reasons[0]]}")
    problems.extend(f"no expression has {part} any more" for part in EMPTY if part not in used)
    return asked


def check_rules(prometheus, start, problems):
    asked = 0
    loaded = {rule["name"]: rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]}
    for path in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                name = rule.get("record") or rule["alert"]
                asked += 1
                state = loaded.get(name)
                if state is None or state["health"] != "ok":
                    problems.append(f"rule {name}: {'not loaded' if state is None else state.get('lastError') or state['health']}")
                    continue
                if "record" in rule:
                    if prometheus.series(name, start, False) == 0:
                        problems.append(f"rule {name}: has recorded nothing")
                    continue
                # An alert is empty for as long as all is well. What it looks at must be there: a metric that has another name now never alerts.
                for selector in re.findall(r"\b(?:auscult_\w+|[a-z_]+:[\w:]+|up)(?:\{[^}]*\})?", rule["expr"]):
                    asked += 1
                    if prometheus.series(selector, start, False) == 0:
                        problems.append(f"alert {name}: nothing is {selector}")
    for name, why in RAISED.items():
        if loaded[name]["state"] not in ("pending", "firing"):
            problems.append(f"alert {name}: not raised, though {why}")
    return asked


def main():
    url, start, namespace = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    prometheus = Prometheus(url)
    problems = []
    namespaces = prometheus.get("label/namespace/values")
    if namespaces != [namespace]:
        problems.append(f"series are of {namespaces}, not of {namespace}")
    asked = check_dashboards(prometheus, start, problems)
    print(f"dashboards: {asked} expressions asked, with all values and with single ones")
    asked = check_rules(prometheus, start, problems)
    print(f"rules: {asked} rules and selectors asked; raised, as they must be: {', '.join(RAISED)}")
    for part, why in EMPTY.items():
        print(f"empty, as it must be: {part}*: {why}")
    for problem in problems:
        print(f"WRONG {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
