"""What the platform requests of a cluster, summed over values and manifests: resources.py [--check] [--write].

  --check  fails if a phase does not fit the nodes, or if deploy/config.yaml plans less than a component states
  --write  puts the tables into docs/resources.md

Run it with scripts/python.sh. It reads deploy/config.yaml, values, manifests and the rendered chart; no cluster.
"""

import sys
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parent
REPO = DEPLOY.parent
PAGE = REPO / "docs" / "resources.md"
BEGIN, END = "<!-- made by deploy/resources.py --write -->\n", "<!-- end -->\n"

# The cluster that all this is planned for: CPU in thousandths, memory in MiB.
NODES = (21_000, 36 * 1024)
# What runs there already.
EXISTS = {"Ceph": (2500, 5120), "monitoring": (500, 1024)}
# What other projects' own manifests request, where ours say nothing.
UPSTREAM = {"knative": {"Serving: controller, webhook, autoscaler": (300, 300), "Eventing with Kafka's parts": (500, 410)}}
# The first phase that has a component; with Istio Envoy Gateway goes.
PHASES = {"envoy_gateway": 1, "strimzi": 1, "knative": 1, "istio": 3}
# Values that more than one pod takes, and values of each sidecar, whose number nobody knows beforehand.
TIMES = {("envoy-gateway", "gateways"): 2, ("istio", "istiod.global.proxy"): 0}
# A plan is a rounded number.
TOLERANCE = 1.05

UNITS = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024, "Ti": 1024**2, "M": 1e6 / 2**20, "G": 1e9 / 2**20}


def millis(quantity):
    text = str(quantity)
    return float(text[:-1]) if text.endswith("m") else float(text) * 1000


def mebibytes(quantity):
    text = str(quantity)
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    return float(text) / 2**20


def requested(resources):
    """CPU and memory of a `resources`, or of nothing."""
    requests = (resources or {}).get("requests") or {}
    return millis(requests.get("cpu", 0)), mebibytes(requests.get("memory", 0))


def plus(pairs):
    pairs = list(pairs)
    return sum(cpu for cpu, _ in pairs), sum(memory for _, memory in pairs)


def times(number, pair):
    return number * pair[0], number * pair[1]


def merged(under, over):
    """Two files of values, as Helm puts one over the other."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {key: merged(under.get(key), over[key]) if key in over else under[key] for key in {**under, **over}}
    return under if over is None else over


def of_values(folder, values, path=()):
    """Every `requests` in a chart's values, each times the replicas that stand beside its `resources`."""
    if not isinstance(values, dict):
        return (0, 0)
    found = []
    for key, value in values.items():
        here = (*path, key)
        if isinstance(value, dict) and "requests" in value:
            replicas = values.get("replicas", values.get("replicaCount", 1))
            owner = ".".join(here[:-1])
            found.append(times(TIMES.get((folder, owner), replicas), requested(value)))
        else:
            found.append(of_values(folder, value, here))
    return plus(found)


def of_pod(pod):
    return plus(requested(container.get("resources")) for container in pod["containers"])


def of_manifest(manifest, largest=False):
    """What one manifest has run, at rest or at its largest."""
    kind, spec = manifest.get("kind"), manifest.get("spec") or {}
    if kind in ("Deployment", "StatefulSet"):
        return times(spec.get("replicas", 1), of_pod(spec["template"]["spec"]))
    if kind == "Service" and manifest["apiVersion"].startswith("serving.knative.dev"):
        scale = spec["template"]["metadata"].get("annotations", {})
        bound = "max-scale" if largest else "min-scale"
        return times(int(scale.get(f"autoscaling.knative.dev/{bound}", 0)), of_pod(spec["template"]["spec"]))
    if kind == "KafkaNodePool":
        return times(spec["replicas"], requested(spec.get("resources")))
    if kind == "Kafka":
        return plus(requested(part.get("resources")) for part in spec.get("entityOperator", {}).values())
    if kind in ("KnativeServing", "KnativeEventing"):
        return plus(
            times(workload.get("replicas", 1), requested(container))
            for workload in spec.get("workloads", [])
            for container in workload.get("resources", [])
        )
    return (0, 0)


def documents(path):
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def stated(component):
    """What a component's own files and its upstream ask for."""
    folder = component.replace("_", "-")
    home = DEPLOY / "platform" / folder
    if component == "data_plane":
        return plus(of_manifest(document) for document in documents(REPO / "deployment" / "event-ingest.yaml"))
    values = {}
    for name in ("values.yaml", "values-overrides.yaml"):
        for document in documents(home / "helm" / name) if (home / "helm" / name).exists() else []:
            values = merged(values, document)
    # What lies deeper (demos, options, a secured cluster in place of the other) is not always there.
    manifests = [path for path in sorted((home / "manifests").glob("*.yaml")) if "-secured" not in path.name]
    return plus(
        [of_values(folder, values)]
        + [of_manifest(document) for path in manifests for document in documents(path)]
        + list(UPSTREAM.get(component, {}).values())
    )


def shown(pair):
    return f"{pair[0] / 1000:.2f} | {pair[1] / 1024:.1f} Gi"


def phase_sum(components, phase):
    """What a phase requests: what is planned for everything that it has."""
    return plus(
        [plan for name, (plan, _, enabled) in components.items()
         if PHASES.get(name, 2) <= phase and (enabled or (name, phase) == ("istio", 3)) and not (name == "envoy_gateway" and phase == 3)]
        + list(EXISTS.values())
    )


def main():
    with open(DEPLOY / "config.yaml", encoding="utf-8") as file:
        config = yaml.safe_load(file)["components"]
    components = {
        name: ((about["cpu_millis"], about["memory_mib"]), stated(name), about["enabled"]) for name, about in config.items()
    }
    largest = plus(of_manifest(d, largest=True) for d in documents(REPO / "deployment" / "event-ingest.yaml"))

    faults = [
        f"{name}: deploy/config.yaml plans {plan[0]:.0f} m and {plan[1]:.0f} MiB, its files state {said[0]:.0f} m and {said[1]:.0f} MiB"
        for name, (plan, said, _) in components.items()
        if said[0] > plan[0] * TOLERANCE or said[1] > plan[1] * TOLERANCE
    ]
    lines = ["| component | phase | planned: CPU | memory | its files state: CPU | memory |", "|---|---|---|---|---|---|"]
    lines += [f"| {name}{'' if on else ' (off)'} | {PHASES.get(name, 2)} | {shown(plan)} | {shown(said)} |"
              for name, (plan, said, on) in components.items()]
    lines += [f"| {name}, which exists | – | {shown(pair)} | | |" for name, pair in EXISTS.items()]
    lines += ["", "| in all | CPU | memory |", "|---|---|---|"]
    for phase in (1, 2, 3):
        total = phase_sum(components, phase)
        lines.append(f"| phase {phase} | {shown(total)} |")
        full = plus([total, largest]) if phase > 1 else total
        if full[0] > NODES[0] or full[1] > NODES[1]:
            faults.append(f"phase {phase} requests {shown(full)}, the nodes have {shown(NODES)}")
    lines += [f"| the data plane at its largest, without Spark | {shown(largest)} |", f"| the nodes | {shown(NODES)} |", ""]
    table = "\n".join(lines)

    if "--write" in sys.argv[1:]:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(before + BEGIN + table + END + rest.split(END)[1], encoding="utf-8")
    else:
        print(table)
    if "--check" in sys.argv[1:] and BEGIN + table + END not in PAGE.read_text(encoding="utf-8"):
        faults.append("docs/resources.md is not up to date: scripts/python.sh deploy/resources.py --write")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return bool(faults) and "--check" in sys.argv[1:]


if __name__ == "__main__":
    sys.exit(main())
