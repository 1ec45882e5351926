#!/usr/bin/env python3
"""Checks manifests against Kubernetes' own schemas, strictly, and against the definitions of custom resources.

    manifests.py CRDS VERSION[,VERSION...] FILE...

A field that the schema does not know is an error, as a misspelt one would be dropped without a word by the API server.
"""

import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

# A bare `=` among an enumeration's values is a text; PyYAML takes it for YAML 1.1's "value" and then does not know it.
yaml.SafeLoader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def strict(schema):
    """The API server prunes unknown fields of custom resources; here they are mistakes."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: strict(value) for key, value in schema.items()}
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if is_object and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        out["additionalProperties"] = False
    return out


def custom_schemas(folder: pathlib.Path) -> dict:
    schemas = {}
    for file in folder.glob("*.yaml"):
        for definition in yaml.safe_load_all(file.read_text()):
            if not definition or definition.get("kind") != "CustomResourceDefinition":
                continue
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                # A resource's metadata is Kubernetes' own, and the definition leaves it open.
                schema["properties"]["metadata"] = {"type": "object"}
                schemas[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return schemas


def main() -> int:
    folder, versions, files = pathlib.Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]
    custom = custom_schemas(folder)
    checked = wrong = 0
    for file in files:
        for manifest in yaml.safe_load_all(pathlib.Path(file).read_text()):
            if not manifest:
                continue
            kind = manifest["apiVersion"], manifest["kind"]
            label = f"{pathlib.Path(file).name}: {manifest['kind']} {manifest['metadata']['name']}"
            if kind in custom:
                checked += 1
                for error in jsonschema.Draft7Validator(custom[kind]).iter_errors(manifest):
                    wrong += 1
                    print(f"{label}: {error.json_path}: {error.message}")
                continue
            for version in versions:
                checked += 1
                try:
                    kubernetes_validate.validate(manifest, version, strict=True)
                except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                    wrong += 1
                    print(f"{label} for Kubernetes {version}: {getattr(error, 'message', error)}")
    print(f"{checked} checks of manifests, {wrong} of them failed")
    if checked == 0:
        print("manifests.py: nothing was checked", file=sys.stderr)
    return 1 if wrong or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
