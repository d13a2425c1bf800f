"""The chart as Helm renders it."""

import functools
import json
import subprocess
from pathlib import Path

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
REPO = Path(__file__).resolve().parents[3]
CHART = REPO / "deploy/charts/event-ingest"
RELEASE, NAMESPACE = "event-ingest", "eventing-demo"


def value_files() -> list[Path | None]:
    """The chart's own values, and each file that is laid over them."""
    return [None, *sorted(CHART.glob("values-*.yaml")), *sorted(CHART.glob("ci/*.yaml"))]


def documents(path: Path) -> list[dict]:
    return [document for document in yaml.load_all(path.read_text(), LOADER) if document]


def helm(*options: str) -> subprocess.CompletedProcess:
    command = ["helm", "template", RELEASE, str(CHART), "--namespace", NAMESPACE, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@functools.cache
def rendering(values: Path | None, *options: str) -> tuple[dict, ...]:
    """All objects."""
    done = helm(*(["--values", str(values)] if values else []), *options)
    if done.returncode:
        raise AssertionError(f"{values}: {done.stderr}")
    return tuple(document for document in yaml.load_all(done.stdout, LOADER) if document)


def renderings():
    """Each way that the chart is rendered, with its name."""
    for values in value_files():
        yield (values.stem if values else "values"), rendering(values)


def refusal(values: dict, file: Path) -> str:
    """What Helm says of values that have to be refused; nothing if it takes them."""
    file.write_text(json.dumps(values))
    done = helm("--values", str(file))
    return done.stderr if done.returncode else ""


def of_kind(objects, kind: str, group: str = "") -> list[dict]:
    return [o for o in objects if o["kind"] == kind and o["apiVersion"].startswith(group)]


def pods(objects):
    """(the object's name, its pod's spec, the pod's metadata) of everything that runs something of ours."""
    for o in objects:
        spec = o.get("spec", {})
        if o["kind"] == "Deployment" or (o["kind"] == "Service" and o["apiVersion"].startswith("serving.knative.dev")):
            template = spec["template"]
        elif o["kind"] == "CronJob":
            template = spec["jobTemplate"]["spec"]["template"]
        elif o["kind"] == "Pod":
            template = o
        else:
            continue
        yield o["metadata"]["name"], template["spec"], template["metadata"]


def variables(container: dict) -> dict[str, dict]:
    """Its variables by name. The same one twice is an error: which of them holds?"""
    found = {}
    for variable in container.get("env", []):
        assert variable["name"] not in found, f"{variable['name']} is set twice"
        found[variable["name"]] = variable
    return found


def seconds(duration: str) -> float:
    """`280s` of ours, `PT290S` of Knative's."""
    return float(duration.removeprefix("PT").rstrip("sS"))
