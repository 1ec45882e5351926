#!/usr/bin/env python3
"""Changes every value of the chart in turn and fails where nothing that is rendered changes: no value is without effect.

    every_value.py HELM CHART

A value counts when in one of the ci installations another value, of those that the schema allows, renders something else. A refusal is no change.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import yaml

HELM, CHART = sys.argv[1], pathlib.Path(sys.argv[2])
API = ["--api-versions", "keda.sh/v1alpha1", "--api-versions", "monitoring.coreos.com/v1"]
# What no installation of ci/ has, and some values need.
ALSO = {
    "token": {"kafka": {"brokers": "kafka:9092", "security": {"protocol": "sasl_tls", "sasl": {"mechanism": "oauthbearer"}}},
              "scoring": {"models": {"csi": {"driver": "x"}}, "autoscaling": {"kind": "hpa"}}},
    "scoring by lag": {"kafka": {"brokers": "kafka:9092"}, "scoring": {"models": {"existingClaim": "m"}, "autoscaling": {"kind": "keda"}},
                       "features": {"autoscaling": {"kind": "hpa"}}},
}
ALSO["a claim that stays"] = {"kafka": {"brokers": "kafka:9092"}, "scoring": {"models": {"claim": {"create": True}}}}
# Values that mean something only together with another one.
WITH = {"scoring.models.claim.create": {"scoring": {"models": {"existingClaim": ""}}}}
SAMPLES = ["x1", "9999", "1h", "sha256:" + "0" * 64, "kafka:1234", "/elsewhere", "https://elsewhere/x1"]


def leaves(value, path=()):
    """Paths of what has no further names below it; an empty map counts as one."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    else:
        yield path, value


def described(schema: dict, path: tuple) -> dict:
    """The schema of the value at a path, references followed; a free map describes nothing."""
    root = schema
    for name in (*path, None):
        while "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        if name is None:
            break
        schema = schema.get("properties", {}).get(name, {})
    return schema


def candidates(schema: dict, value):
    for choice in schema.get("enum", []) + [each["const"] for each in schema.get("oneOf", []) if "const" in each]:
        yield choice
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value + 1000, 1)
    elif isinstance(value, str):
        yield from SAMPLES
    elif isinstance(value, list):
        yield from (["ReadOnlyMany"], [9999], [{"name": "x1"}], [{"key": "x1"}], [{"podSelector": {}}], [{"name": "X", "value": "1"}])
    elif isinstance(value, dict):
        yield from ({"x1": "y"}, {"repository": "x1"}, {"threads": 3}, {"models": {"reload_secs": 3}}, {"driver": "y"})


def nested(path: tuple, value) -> dict:
    for name in reversed(path):
        value = {name: value}
    return value


def merged(below: dict, above: dict) -> dict:
    out = dict(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(out.get(name), dict)
        out[name] = merged(out[name], value) if both else value
    return out


def render(files: list, values: dict | None = None) -> str | None:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(values or {}, file)
        file.flush()
        arguments = [argument for each in [*files, file.name] for argument in ("--values", str(each))]
        command = [HELM, "template", "plant", str(CHART), *API, *arguments]
        # The notes are rendered, too, but not printed: a value that only they use counts for nothing.
        done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def main() -> int:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        contexts = sorted((CHART / "ci").glob("*-values.yaml"))
        for name, also in ALSO.items():
            contexts.append(pathlib.Path(folder, f"{name}.yaml"))
            contexts[-1].write_text(json.dumps(also))
        before = {context: render([context]) for context in contexts}
        broken = [context.name for context, text in before.items() if text is None]
        if broken:
            print(f"every_value.py: {', '.join(broken)} cannot be rendered", file=sys.stderr)
            return 1
        idle = []
        paths = list(leaves(values))
        for path, value in paths:
            tries = ((context, other) for context in contexts for other in candidates(described(schema, path), value))
            for context, other in tries:
                after = render([context], merged(WITH.get(".".join(path), {}), nested(path, other)))
                if after is not None and after != before[context]:
                    break
            else:
                idle.append(".".join(path))
    for path in idle:
        print(f"{path}: nothing that is rendered changes with it")
    print(f"{len(paths)} values, {len(idle)} without effect")
    return 1 if idle or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
