"""Stands in for charts of other people, which cannot be downloaded where tests run.

For each dependency of a chart it writes a chart of that name and version into a folder. Its values.schema.json is made of
the keys that were checked against the real chart (tests/deploy/upstream) and closed: helm itself refuses a value that the
real chart does not know. Its templates are the Deployments that the scripts wait for, its crds/ the real definitions.
"""

import json
import os
import sys
from pathlib import Path

import yaml

UPSTREAM = Path(__file__).resolve().parent.parent / "upstream"
TYPES = {"string", "boolean", "integer", "number", "array", "object", "any"}

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {{{{ .Release.Namespace }}}}
  labels: {{app: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: main, image: none}}]}}
"""


def schema(keys) -> dict:
    """Of a tree whose leaves are JSON types; an object at a leaf is open."""
    if isinstance(keys, str):
        names = keys.split("|")
        assert TYPES.issuperset(names), f"{keys} is no type"
        return {} if keys == "any" else {"type": names}
    return {"type": "object", "additionalProperties": False,
            "properties": {key: schema(value) for key, value in keys.items()}}


def write_stub(fixture: dict, folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    chart = {"apiVersion": "v2", "name": fixture["name"], "version": fixture["version"]}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart))
    top = schema({**fixture["keys"], "global": fixture["keys"].get("global", "object")})
    (folder / "values.schema.json").write_text(json.dumps(top))
    templates = folder / "templates"
    templates.mkdir(exist_ok=True)
    for name in fixture.get("deployments", []):
        (templates / f"{name}.yaml").write_text(DEPLOYMENT.format(name=name))
    for project in fixture.get("crds", []):
        crds = folder / "crds"
        crds.mkdir(exist_ok=True)
        for path in sorted((Path(os.environ["CRDS_DIR"]) / project).glob("*.yaml")):
            crd = yaml.safe_load(path.read_text())
            # No webhook answers where no controller runs.
            crd["spec"].pop("conversion", None)
            (crds / path.name).write_text(yaml.safe_dump(crd))


def main(chart: str, out: str):
    dependencies = yaml.safe_load((Path(chart) / "Chart.yaml").read_text()).get("dependencies", [])
    for dependency in dependencies:
        path = UPSTREAM / f"{dependency['name']}.yaml"
        if not path.exists():
            sys.exit(f"error: {chart} depends on {dependency['name']}, whose keys were not checked: {path} is missing")
        fixture = yaml.safe_load(path.read_text())
        for field in ("name", "version", "repository"):
            if fixture[field] != dependency[field]:
                sys.exit(f"error: {chart}: {field} is {dependency[field]}, but {path} was checked for {fixture[field]}")
        write_stub(fixture, Path(out) / dependency["name"])


if __name__ == "__main__":
    main(*sys.argv[1:])
