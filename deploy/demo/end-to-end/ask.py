"""A pod that asks `event-ingest files show` about an object, from the worker's Knative Service or Deployment (standard input).

    ask.py IMAGE URI TABLE [POD]        IMAGE may be empty
"""

import json
import sys

# What concerns the worker's requests, and not the lake.
OTHER = ("REQUEST_", "CONCURRENT_", "CREATE_TABLES", "DEFAULT_TABLE", "LIGHT_", "LISTEN", "QUARANTINE_", "RESULTS_", "K_SINK")


def pod(service: dict, image: str, uri: str, table: str, name: str = "end-to-end") -> dict:
    """The pod, with the worker's settings of catalog, storage and ledger."""
    spec = service["spec"]["template"]["spec"]
    worker = spec["containers"][0]
    container = {
        "name": "ask",
        "image": image or worker["image"].replace("event-ingest-light-worker", "event-ingest"),
        "args": ["files", "show", uri, "--table", table, "--json"],
        "env": [variable for variable in worker.get("env", []) if not variable["name"].startswith(OTHER)],
        "envFrom": worker.get("envFrom", []),
        "volumeMounts": worker.get("volumeMounts", []),
        "securityContext": worker["securityContext"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": service["metadata"]["namespace"],
            # With a sidecar it would never end.
            "labels": {"sidecar.istio.io/inject": "false"},
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": spec["serviceAccountName"],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "imagePullSecrets": spec.get("imagePullSecrets", []),
            "containers": [container],
            "volumes": spec.get("volumes", []),
        },
    }


if __name__ == "__main__":
    print(json.dumps(pod(json.load(sys.stdin), *sys.argv[1:5])))
