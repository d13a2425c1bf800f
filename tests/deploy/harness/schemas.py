"""Closed JSON schemas of every kind that the manifests may use, as kubeconform reads them.

Kubernetes' own kinds come from the OpenAPI document of a real API server, the others from the definitions of CRDS_DIR. Both
leave objects open; the API server drops or refuses what they do not list, so here they are closed.
"""

import copy
import json
import sys
from pathlib import Path

import yaml

# Lists of any YAML documents are read by the C parser where there is one.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

INT_OR_STRING = {"type": ["string", "integer"]}
QUANTITY = {"type": ["string", "number"]}
SPECIAL = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": INT_OR_STRING,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": QUANTITY,
}


def file_name(api_version: str, kind: str) -> str:
    """kubeconform's {{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}: the core group is its own version there."""
    parts = api_version.split("/")
    return f"{kind.lower()}-{parts[0]}-{parts[-1]}.json"


class Core:
    """Kinds of /openapi/v2."""

    def __init__(self, document: dict):
        self.definitions = document["definitions"]

    def schema(self, name: str, seen: tuple = ()) -> dict:
        if name in SPECIAL:
            return SPECIAL[name]
        # Only definitions of schemas contain themselves.
        if name in seen:
            return {}
        return self.closed(self.definitions[name], (*seen, name))

    def closed(self, node: dict, seen: tuple) -> dict:
        if "$ref" in node:
            return self.schema(node["$ref"].rsplit("/", 1)[1], seen)
        out = {key: node[key] for key in ("type", "enum", "required") if key in node}
        if node.get("format") == "int-or-string":
            return INT_OR_STRING
        if "properties" in node:
            # A field may be written and left empty.
            out["properties"] = {key: nullable(self.closed(value, seen)) for key, value in node["properties"].items()}
            out["additionalProperties"] = False
        if "additionalProperties" in node:
            out["additionalProperties"] = self.closed(node["additionalProperties"], seen)
        if "items" in node:
            out["items"] = self.closed(node["items"], seen)
        return out

    def kinds(self):
        for name, definition in self.definitions.items():
            for kind in definition.get("x-kubernetes-group-version-kind", []):
                if "metadata" in definition.get("properties", {}) and not kind["kind"].endswith("List"):
                    version = "/".join(filter(None, (kind["group"], kind["version"])))
                    schema = self.schema(name)
                    yield version, kind["kind"], with_type(schema, version, kind["kind"])


def nullable(schema: dict) -> dict:
    kind = schema.get("type")
    if isinstance(kind, str):
        return {**schema, "type": [kind, "null"]}
    return schema


def with_type(schema: dict, api_version: str, kind: str) -> dict:
    out = copy.deepcopy(schema)
    out["properties"]["apiVersion"] = {"const": api_version}
    out["properties"]["kind"] = {"const": kind}
    out["required"] = sorted({*out.get("required", []), "apiVersion", "kind", "metadata"})
    return out


def custom(node: dict) -> dict:
    """A structural schema, closed. What stands in anyOf and its like are conditions on values, not a list of fields."""
    out = {key: value for key, value in node.items() if key not in ("description", "default", "example", "format")
           and not key.startswith("x-") and key != "nullable"}
    if node.get("x-kubernetes-int-or-string"):
        out["type"] = ["string", "integer"]
    for key in ("properties",):
        if key in node:
            out[key] = {name: custom(value) for name, value in node[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            out[key] = custom(node[key])
    if node.get("type") == "object":
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            out.setdefault("additionalProperties", False)
        if node.get("x-kubernetes-embedded-resource") and out.get("additionalProperties") is False:
            for field in ("apiVersion", "kind", "metadata"):
                out.setdefault("properties", {}).setdefault(field, {})
    return nullable(out) if node.get("nullable") else out


def custom_kinds(folder: Path, metadata: dict):
    for path in sorted(folder.rglob("*.yaml")):
        for crd in filter(None, yaml.load_all(path.read_text(), LOADER)):
            if crd.get("kind") != "CustomResourceDefinition":
                continue
            spec = crd["spec"]
            for version in spec["versions"]:
                schema = custom(version["schema"]["openAPIV3Schema"])
                schema.setdefault("properties", {})["metadata"] = metadata
                api = f"{spec['group']}/{version['name']}"
                yield api, spec["names"]["kind"], with_type(schema, api, spec["names"]["kind"])


def main(openapi: str, crds: str, out: str):
    core = Core(json.loads(Path(openapi).read_text()))
    metadata = core.schema("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    for api, kind, schema in (*core.kinds(), *custom_kinds(Path(crds), metadata)):
        (folder / file_name(api, kind)).write_text(json.dumps(schema))


if __name__ == "__main__":
    main(*sys.argv[1:])
