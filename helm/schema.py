#!/usr/bin/env python3
"""Writes auscult/values.schema.json: the chart's own part (schema.chart.json) and the workers' configuration as the program itself describes it.

    helm/schema.py                 writes it
    helm/schema.py --check         fails where the committed file is another

AUSCULT names the program; default: target/release/auscult.
"""

import difflib
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "auscult" / "values.schema.json"

# Set by the chart from other values, so that a pod and its configuration cannot disagree.
OWNED = {
    "kafka": {"brokers": "kafka.brokers", "security": "kafka.security", "instance_id": "the pod's name"},
    "http": {"listen": "http.port"},
    "models": {"dir": "scoring.models.mountPath"},
}


def worker_schema(worker: str) -> dict:
    program = os.environ.get("AUSCULT", str(HERE.parent / "target" / "release" / "auscult"))
    done = subprocess.run([program, "config", "schema", "--worker", worker], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def without_defaults(schema):
    """The chart sets no defaults of the workers': the description names them, and a copied one could go stale."""
    if isinstance(schema, dict):
        return {key: without_defaults(value) for key, value in schema.items() if key not in ("default", "$schema", "title")}
    if isinstance(schema, list):
        return [without_defaults(value) for value in schema]
    return schema


def definitions(schema: dict, worker: str) -> dict:
    """The worker's definitions under names of their own, less what the chart sets."""
    text = json.dumps(without_defaults(schema)).replace('"#/$defs/', f'"#/$defs/{worker}')
    schema = json.loads(text)
    named = schema.pop("$defs")
    for section, owned in OWNED.items():
        if section not in schema["properties"]:
            continue
        properties = named[schema["properties"][section]["$ref"].rsplit("/", 1)[1].removeprefix(worker)]["properties"]
        for name in owned:
            del properties[name]
        if not properties:
            del schema["properties"][section]
    out = {f"{worker}Config": schema}
    out.update({f"{worker}{name}": definition for name, definition in named.items()})
    return reachable(out, f"{worker}Config")


def reachable(named: dict, root: str) -> dict:
    kept, waiting = {}, [root]
    while waiting:
        name = waiting.pop()
        if name in kept:
            continue
        kept[name] = named[name]
        waiting += [other for other in named if f'"#/$defs/{other}"' in json.dumps(named[name])]
    return kept


def main() -> int:
    chart = json.loads((HERE / "schema.chart.json").read_text())
    feature, scoring = worker_schema("feature"), worker_schema("scoring")
    named = definitions(feature, "feature") | definitions(scoring, "scoring")
    for name, definition in named.items():
        if "password" in json.dumps(definition):
            raise SystemExit(f"schema.py: {name} has a place for a password; secrets go by reference only")
    # What both workers know is what may be set for both.
    both = {key: value for key, value in named["featureConfig"]["properties"].items() if key in named["scoringConfig"]["properties"]}
    named["bothConfig"] = {"type": "object", "properties": both, "additionalProperties": False}
    chart["$defs"] = chart["$defs"] | dict(sorted(named.items()))
    text = json.dumps(chart, indent=1, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--check"]:
        present = OUT.read_text() if OUT.exists() else ""
        if present != text:
            sys.stdout.writelines(list(difflib.unified_diff(present.splitlines(True), text.splitlines(True), "committed", "as it must be"))[:60])
            print("schema.py: helm/auscult/values.schema.json is not what the program says; run helm/schema.py", file=sys.stderr)
            return 1
        print("values.schema.json is what the program says")
        return 0
    OUT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
