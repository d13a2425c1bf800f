"""Breaks one thing at a time and sees exactly that line of deploy/verify.sh fail, against a real API server.

Statuses are written as controllers would (world.py); what needs a kubelet, a gateway or a bucket is stood in for by shims/.
"""

import copy
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from api import Api, condition, install_crds
import world

REPO = Path(__file__).resolve().parents[3]
SHIMS = Path(__file__).resolve().parent / "shims"
PINGS = "logs/serving.knative.dev_service=event-display"


def status(kind, name, value):
    """Its status says something else."""
    return ("status", kind, name, value)


def not_true(kind, name, what="Ready"):
    return status(kind, name, {"conditions": [condition(what, "False")]})


def gone(kind, name):
    return ("gone", kind, name)


def spec(kind, name, value):
    return ("spec", kind, name, value)


def shim(name):
    return ("shim", name)


def lost(path):
    return ("lost", path)


def pod(namespace, name, **labels):
    return ("pod", namespace, name, labels)


PHASE1 = {
    "Envoy controller runs": not_true("Deployment", "envoy-gateway", "Available"),
    "GatewayClass eg": not_true("GatewayClass", "eg", "Accepted"),
    "Gateway knative-gateway Programmed": not_true("Gateway", "knative-gateway", "Programmed"),
    "operator runs": gone("Deployment", "operator-webhook"),
    "Serving pods run": not_true("Deployment", "activator", "Available"),
    "Eventing pods run": not_true("Deployment", "eventing-controller", "Available"),
    "Kafka Broker and KafkaSource controllers run": gone("StatefulSet", "kafka-source-dispatcher"),
    "HTTPRoutes appear for services": gone("HTTPRoute", "hello"),
    "hello answers": shim("hello"),
    "traffic split": shim("split"),
    "scale to zero after 60 s": pod("default", "hello-1", **{"serving.knative.dev/service": "hello"}),
    "scale from zero": shim("from-zero"),
}
PHASE2 = {
    "Strimzi runs": not_true("Kafka", "events-kafka"),
    "broker's PVC bound to the class": status("PersistentVolumeClaim", "data-0", {"phase": "Pending"}),
    "Eventing pods run": not_true("KnativeEventing", "knative-eventing"),
    "Broker in eventing-demo": not_true("Broker", "default"),
    "PingSource every minute": spec("PingSource", "ping", {"schedule": "*/5 * * * *"}),
    "events seen in event-display": lost(PINGS),
    "KafkaSource consumes demo-topic": spec("KafkaSource", "demo-source", {"topics": ["other"]}),
    "hand-made messages arrive": shim("hand-made"),
    "bucket events-inbox with its user": status("CephObjectStoreUser", "s3-events", {"phase": "ReconcileFailed"}),
    "policy grants the user": shim("policy"),
    "bucket topic points to Kafka": spec("CephBucketTopic", "s3-events", {"endpoint": {"kafka": {"uri": "kafka:9092"}}}),
    "notification attached with its filter": spec("CephBucketNotification", "upload-notify", {"filter": None}),
    "PUT of incoming/*.parquet appears on s3-events": shim("announced"),
    "KafkaSource delivers it to s3-event-display": shim("delivered"),
    "s3-event-display scales down and up again on the next PUT": shim("delivered-again"),
    "Camel K operator runs": gone("Deployment", "camel-k-operator"),
    "IntegrationPlatform Ready": status("IntegrationPlatform", "camel-k", {"phase": "Error"}),
    "Camel K's 7 CRDs": gone("CustomResourceDefinition", "pipes.camel.apache.org"),
    "timer → log runs": status("Integration", "timer-to-log", {"phase": "Error"}),
    "topics light-ingest, heavy-ingest": not_true("KafkaTopic", "heavy-ingest"),
    "shared contract available": shim("contract"),
    "dispatcher sends small batches to light": shim("light"),
    "dispatcher sends big ones to heavy": shim("heavy"),
    "worker writes to Iceberg": shim("written"),
    # An application of before, COMPLETED, is no proof.
    "Spark writes to the same table": shim("by-spark"),
}
PHASE3 = {
    "istiod runs": not_true("Deployment", "istiod", "Available"),
    "class swapped to istio": spec("KnativeServing", "knative-serving", {"config": world.gateway_config("eg", "x/y")}),
    "Envoy Gateway gone": ("there", world.deployment("envoy-gateway-system", "envoy-gateway")),
    "sidecars injected": pod("default", "bare"),
    "mTLS STRICT": spec("PeerAuthentication", "default", {"mtls": {"mode": "PERMISSIVE"}}),
    "scale from zero under AuthorizationPolicy": shim("from-zero"),
    "Kiali shows the mesh": shim("kiali"),
    "Jaeger shows traces": shim("jaeger"),
    "fault injection works": lost("run"),
}

# Other ways to break things: what is broken, the lines that fail, and what they say.
MORE = {
    "phase1": [
        (shim("pods"), {"scale to zero after 60 s"}, "InternalError"),
        # What was never there is not at zero.
        (gone("Service", "hello"), {"traffic split", "scale to zero after 60 s"}, "not found"),
    ],
    "phase2": [
        (shim("pods"), {"s3-event-display scales down and up again on the next PUT"}, "InternalError"),
        (shim("set-aside"), {"worker writes to Iceberg"}, "no such column"),
        (shim("staged"), {"Spark writes to the same table"}, "VERIFY_WAIT"),
        (gone("Service", "light-worker"),
         {"worker writes to Iceberg", "Spark writes to the same table"}, "light-worker-direct"),
        (gone("Integration", "timer-to-log"), {"timer → log runs"}, "test-camel-k.sh"),
    ],
    "phase3": [
        (shim("pods"), {"sidecars injected", "scale from zero under AuthorizationPolicy"}, "InternalError"),
        (shim("deployments"), {"Envoy Gateway gone"}, "InternalError"),
        (gone("Deployment", "hello-fault"), {"fault injection works"}, "manifests/demo/hello-fault.yaml"),
    ],
}
# Lines that the settings of deploy/config.yaml leave out.
OFF = {
    "phase1": set(),
    "phase2": {"Camel K operator runs", "IntegrationPlatform Ready", "Camel K's 7 CRDs", "timer → log runs"},
    "phase3": {"Kiali shows the mesh", "Jaeger shows traces"},
}


class Trial:
    def __init__(self, api: Api, phase: str, objects: list[dict], config: str, plain: str):
        self.api, self.phase, self.objects, self.config, self.plain = api, phase, objects, config, plain
        self.files = Path(tempfile.mkdtemp())

    def heal(self):
        """The folder of the shims as it is when all is well."""
        shutil.rmtree(self.files)
        for name in ("broken", "logs", "topics"):
            (self.files / name).mkdir(parents=True)
        (self.files / PINGS).write_text("Context Attributes,\n  type: dev.knative.sources.ping\n")
        (self.files / "run").write_text("seconds 0.004\nseconds 3.005\nseconds 0.005\n")

    def verify(self, config: str = "") -> tuple[int, dict]:
        """Exit status, and each line's outcome."""
        environment = {**os.environ, "WORLD": str(self.files), "VERIFY_WAIT": "0", "DEPLOY_CONFIG": config or self.config,
                       "REAL_KUBECTL": shutil.which("kubectl"), "PATH": f"{SHIMS}:{os.environ['PATH']}"}
        done = subprocess.run([REPO / "deploy/verify.sh", self.phase], env=environment, capture_output=True, text=True, timeout=120)
        lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
        self.said = done.stdout + done.stderr
        return done.returncode, {text.split(": ")[0] if outcome == "FAIL" else text: outcome for outcome, text in lines}

    def find(self, kind: str, name: str) -> dict:
        return next(d for d in self.objects if d["kind"] == kind and d["metadata"]["name"] == name)

    def break_(self, how: tuple):
        match how:
            case ("status", kind, name, value):
                self.api.status(self.find(kind, name), value)
            case ("spec", kind, name, value):
                changed = copy.deepcopy(self.find(kind, name))
                self.api.call("PATCH", self.api.path(changed), json={"spec": value},
                              headers={"Content-Type": "application/merge-patch+json"})
            case ("gone", kind, name):
                self.api.delete(self.find(kind, name))
            case ("there", document):
                self.api.apply(document)
            case ("pod", namespace, name, labels):
                self.api.apply(world.named("v1", "Pod", namespace, name, None, {"containers": [{"name": "main", "image": "none"}]},
                                           labels=labels))
            case ("shim", name):
                (self.files / "broken" / name).touch()
            case ("lost", path):
                (self.files / path).write_text("")

    def mend(self, how: tuple):
        match how:
            case ("status" | "spec" | "gone", kind, name, *_):
                document = self.find(kind, name)
                self.api.apply(document)
            case ("there", document):
                self.api.delete(document)
            case ("pod", namespace, name, _):
                self.api.delete(world.named("v1", "Pod", namespace, name))

    def run(self, breaks: dict):
        for document in self.objects:
            self.api.apply(document)
        self.heal()
        code, lines = self.verify()
        failed = [text for text, outcome in lines.items() if outcome != "pass"]
        assert code == 0 and not failed, f"{self.phase} of a whole cluster: exit status {code}\n{self.said}"
        assert set(lines) == set(breaks), f"{self.phase}: lines without a way to break them, or the other way round: {set(lines) ^ set(breaks)}"
        for text, how in breaks.items():
            self.heal()
            self.break_(how)
            code, lines = self.verify()
            failed = {line for line, outcome in lines.items() if outcome == "FAIL"}
            assert failed == {text} and code == 1, f"{self.phase}: {how} was to fail '{text}' alone\n{self.said}"
            self.mend(how)
        for how, texts, reason in MORE[self.phase]:
            self.heal()
            self.break_(how)
            code, lines = self.verify()
            failed = {line for line, outcome in lines.items() if outcome == "FAIL"}
            assert failed == texts and code == 1, f"{self.phase}: {how} was to fail {texts} alone\n{self.said}"
            assert reason in self.said, f"{self.phase}: {how}: nothing says '{reason}'\n{self.said}"
            self.mend(how)
        self.heal()
        code, lines = self.verify(self.plain)
        off = {line for line, outcome in lines.items() if outcome == "off"}
        assert code == 0 and off == OFF[self.phase], f"{self.phase}: by default these are off: {off}\n{self.said}"
        for document in self.objects:
            if document["kind"] not in ("CustomResourceDefinition", "Namespace"):
                self.api.delete(document)
        print(f"ok    {self.phase}: each of {len(breaks)} lines fails on its own, {len(MORE[self.phase])} other breaks are told", file=sys.stderr)


def config_with(*changes: tuple[str, str]) -> str:
    text = (REPO / "deploy/config.yaml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = Path(tempfile.mkdtemp()) / "config.yaml"
    path.write_text(text)
    return str(path)


def main():
    api = Api()
    install_crds(api, os.environ["CRDS_DIR"])
    for name in world.NAMESPACES:
        api.apply(world.named("v1", "Namespace", None, name))
    camel = ("  camel_k:\n    enabled: false", "  camel_k:\n    enabled: true")
    mesh = [("  istio:\n    enabled: false", "  istio:\n    enabled: true"), ("phase: 2", "phase: 3")]
    addons = [("kiali: false", "kiali: true"), ("tracing: false", "tracing: true")]
    # With all that can be chosen, and as little as can be.
    trials = {
        "phase1": (world.phase1, config_with(), config_with(), PHASE1),
        "phase2": (world.phase2, config_with(camel), config_with(), PHASE2),
        "phase3": (world.phase3, config_with(*mesh, *addons), config_with(*mesh), PHASE3),
    }
    for phase in sys.argv[1:] or trials:
        objects, config, plain, breaks = trials[phase]
        Trial(api, phase, objects(), config, plain).run(breaks)


if __name__ == "__main__":
    main()
