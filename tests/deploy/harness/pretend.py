"""Controllers that are absent where tests run: writes what scripts wait for into statuses, until standard input ends.

Nothing is scheduled or run. Only what deploy/platform's scripts look at is written; a kind named as an argument is left
alone, so that a test sees what is said about it.
"""

import select
import sys

from api import Api, condition

AVAILABLE = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1,
             "conditions": [condition("Available")]}
# Kind → status.
READY = {
    ("apps/v1", "Deployment"): AVAILABLE,
    ("gateway.networking.k8s.io/v1", "GatewayClass"): {"conditions": [condition("Accepted")]},
    ("gateway.networking.k8s.io/v1", "Gateway"): {"conditions": [condition("Accepted"), condition("Programmed")]},
    ("kafka.strimzi.io/v1", "Kafka"): {"conditions": [condition("Ready")]},
    ("kafka.strimzi.io/v1", "KafkaTopic"): {"conditions": [condition("Ready")]},
    ("serving.knative.dev/v1", "Service"): {"conditions": [condition("Ready")]},
    ("eventing.knative.dev/v1alpha1", "KafkaSink"): {"conditions": [condition("Ready")]},
    ("sources.knative.dev/v1", "KafkaSource"): {"conditions": [condition("Ready")]},
    ("operator.knative.dev/v1beta1", "KnativeServing"): {"conditions": [condition("Ready")], "version": "1.21.0"},
    ("operator.knative.dev/v1beta1", "KnativeEventing"): {"conditions": [condition("Ready")], "version": "1.21.0"},
    ("camel.apache.org/v1", "IntegrationPlatform"): {"phase": "Ready"},
    ("camel.apache.org/v1", "Integration"): {"phase": "Running", "conditions": [condition("Ready")]},
}
PAUSE = 0.2  # seconds between two looks


def holds(found: dict, wanted: dict) -> bool:
    """Does the status have all that is wanted?"""
    return all(found.get(key) == value for key, value in wanted.items())


def step(api: Api, spared: set):
    for (version, kind), wanted in READY.items():
        if kind in spared:
            continue
        try:
            objects = api.items(version, kind)
        except (AssertionError, KeyError):
            continue  # not defined yet
        for found in objects:
            if not holds(found.get("status", {}), wanted):
                try:
                    api.status(found, wanted)
                except AssertionError as error:
                    print(error, file=sys.stderr)  # gone in the meantime
    # istiod makes the class of its name.
    try:
        if any(d["metadata"]["name"] == "istiod" for d in api.items("apps/v1", "Deployment")) and "istio" not in spared:
            api.apply({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "istio"},
                       "spec": {"controllerName": "istio.io/gateway-controller"}})
    except (AssertionError, KeyError):
        pass


def main(*spared: str):
    api = Api()
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        step(api, set(spared))


if __name__ == "__main__":
    main(*sys.argv[1:])
