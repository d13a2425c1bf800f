"""A cluster in which every line of the checklists holds: objects with the statuses that their controllers would write."""

from api import condition

DEMO = "eventing-demo"


def named(api, kind, namespace, name, status=None, spec=None, **metadata):
    out = {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}}
    if namespace:
        out["metadata"]["namespace"] = namespace
    if spec is not None:
        out["spec"] = spec
    if status is not None:
        out["status"] = status
    return out


def ready(*conditions):
    return {"conditions": [condition(kind) for kind in conditions or ("Ready",)]}


def deployment(namespace, name):
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "none"}]}}
    return named("apps/v1", "Deployment", namespace, name, ready("Available"), {"selector": {"matchLabels": labels}, "template": template})


def stateful_set(namespace, name):
    out = deployment(namespace, name)
    del out["status"]
    return {**out, "kind": "StatefulSet", "spec": {**out["spec"], "serviceName": name}}


def gateway_config(eg, service):
    return {"gateway": {"external-gateways": f"- class: {eg}\n  gateway: knative-serving/knative-gateway\n  service: {service}\n"}}


def serving_and_eventing(gateway_class="eg"):
    controller = {"controllerName": "test.example/controller"}
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
    hello = {"template": {"spec": {"containers": [{"image": "hello"}]}}}
    shares = [{"revisionName": "hello-00001", "percent": 80}, {"revisionName": "hello-v2", "percent": 20}]
    return [
        named("gateway.networking.k8s.io/v1", "GatewayClass", None, gateway_class, ready("Accepted"), controller),
        named("gateway.networking.k8s.io/v1", "Gateway", "knative-serving", "knative-gateway", ready("Programmed"),
              {"gatewayClassName": gateway_class, "listeners": listeners}),
        *(deployment("knative-operator", name) for name in ("knative-operator", "operator-webhook")),
        named("operator.knative.dev/v1beta1", "KnativeServing", "knative-serving", "knative-serving", ready(),
              {"config": gateway_config(gateway_class, "knative-serving/knative-gateway-istio")}),
        *(deployment("knative-serving", name) for name in
          ("activator", "autoscaler", "controller", "webhook", "net-gateway-api-controller")),
        named("operator.knative.dev/v1beta1", "KnativeEventing", "knative-eventing", "knative-eventing", ready(), {}),
        *(deployment("knative-eventing", name) for name in
          ("eventing-controller", "eventing-webhook", "kafka-controller", "kafka-broker-receiver")),
        *(stateful_set("knative-eventing", name) for name in ("kafka-broker-dispatcher", "kafka-source-dispatcher")),
        named("gateway.networking.k8s.io/v1", "HTTPRoute", "default", "hello", None, {"hostnames": ["hello.default.sslip.io"]}),
        named("serving.knative.dev/v1", "Service", "default", "hello", {"traffic": shares}, hello),
    ]


def phase1():
    return [deployment("envoy-gateway-system", "envoy-gateway"), *serving_and_eventing()]


def kafka_source(name, topic, sink):
    sink = {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": sink}}
    return named("sources.knative.dev/v1", "KafkaSource", DEMO, name, ready(),
                 {"bootstrapServers": ["kafka:9092"], "topics": [topic], "sink": sink})


def light_worker():
    container = {"image": "ghcr.io/example/event-ingest-light-worker:1", "securityContext": {"runAsNonRoot": True}}
    return named("serving.knative.dev/v1", "Service", DEMO, "light-worker",
                 {"url": f"http://light-worker.{DEMO}.svc.cluster.local"},
                 {"template": {"spec": {"serviceAccountName": "light-worker", "containers": [container]}}})


def object_store():
    kafka = {"uri": "kafka://events-kafka-kafka-bootstrap.kafka.svc.cluster.local:9092"}
    keys = [{"name": "prefix", "value": "incoming/"}, {"name": "suffix", "value": ".parquet"}]
    secret = named("v1", "Secret", "rook-ceph", "s3-events-keys")
    secret["stringData"] = {"access-key": "s3events", "secret-key": "s3events123"}
    owner = named("v1", "Secret", "rook-ceph", "events-inbox")
    owner["stringData"] = {"AWS_ACCESS_KEY_ID": "owner", "AWS_SECRET_ACCESS_KEY": "owner123"}
    return [
        secret, owner,
        named("objectbucket.io/v1alpha1", "ObjectBucketClaim", DEMO, "events-inbox", {"phase": "Bound"},
              {"storageClassName": "ceph-bucket", "bucketName": "events-inbox"},
              labels={"bucket-notification-upload-notify": "upload-notify"}),
        named("ceph.rook.io/v1", "CephObjectStoreUser", "rook-ceph", "s3-events", {"phase": "Ready"}, {"store": "s3-store"}),
        named("ceph.rook.io/v1", "CephBucketTopic", DEMO, "s3-events", {"phase": "Ready"},
              {"objectStoreName": "s3-store", "objectStoreNamespace": "rook-ceph", "endpoint": {"kafka": kafka}}),
        named("ceph.rook.io/v1", "CephBucketNotification", DEMO, "upload-notify", None,
              {"topic": "s3-events", "events": ["s3:ObjectCreated:*"], "filter": {"keyFilters": keys}}),
    ]


def camel():
    crds = []
    for plural, kind in (("integrationkits", "IntegrationKit"), ("kamelets", "Kamelet"), ("pipes", "Pipe"),
                         ("builds", "Build"), ("camelcatalogs", "CamelCatalog")):
        version = {"name": "v1", "served": True, "storage": True,
                   "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
        crds.append(named("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, f"{plural}.camel.apache.org", None,
                          {"group": "camel.apache.org", "scope": "Namespaced", "versions": [version],
                           "names": {"plural": plural, "kind": kind}}))
    return [
        deployment("camel-k", "camel-k-operator"), *crds,
        named("camel.apache.org/v1", "IntegrationPlatform", "camel-k", "camel-k", {"phase": "Ready"}, {}),
        named("camel.apache.org/v1", "Integration", "camel-k", "timer-to-log", {"phase": "Running"}, {}),
    ]


def phase2():
    sink = {"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "default"}}
    pod = {"cores": 1}
    return [
        *phase1(), deployment("kafka", "strimzi-cluster-operator"),
        named("kafka.strimzi.io/v1", "Kafka", "kafka", "events-kafka", ready(),
              {"kafka": {"listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": False}]}}),
        named("v1", "PersistentVolumeClaim", "kafka", "data-0", {"phase": "Bound"},
              {"storageClassName": "ceph-block", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}},
              labels={"strimzi.io/cluster": "events-kafka"}),
        named("eventing.knative.dev/v1", "Broker", DEMO, "default", ready(), {}),
        named("sources.knative.dev/v1", "PingSource", DEMO, "ping", ready(), {"schedule": "*/1 * * * *", "sink": sink}),
        kafka_source("demo-source", "demo-topic", "event-display"),
        kafka_source("s3-event-source", "s3-events", "s3-event-display"),
        light_worker(), *object_store(), *camel(),
        *(named("kafka.strimzi.io/v1", "KafkaTopic", "kafka", name, ready(), {}) for name in ("light-ingest", "heavy-ingest")),
        named("sparkoperator.k8s.io/v1beta2", "SparkApplication", DEMO, "ingest-1", {"applicationState": {"state": "COMPLETED"},
              "driverInfo": {}, "lastSubmissionAttemptTime": None, "terminationTime": None},
              {"type": "Python", "sparkVersion": "4.1.4", "mainApplicationFile": "local:///x.py", "driver": pod, "executor": pod},
              annotations={"eventingest.dev/table": "db.my_table"}),
    ]


def phase3():
    sidecar = {"containers": [{"name": "main", "image": "none"}], "initContainers": [{"name": "istio-proxy", "image": "none"}]}
    return [
        *(named("v1", "Namespace", None, name, labels={"istio-injection": "enabled"}) for name in ("default", DEMO, "knative-serving")),
        *serving_and_eventing("istio"),
        *(deployment("istio-system", name) for name in ("istiod", "kiali", "jaeger")),
        deployment("default", "hello-fault"),
        *(named("v1", "Pod", name, "some", None, sidecar) for name in ("default", DEMO, "knative-serving")),
        named("security.istio.io/v1", "PeerAuthentication", "istio-system", "default", None, {"mtls": {"mode": "STRICT"}}),
        *(named("security.istio.io/v1", "AuthorizationPolicy", name, "callers", None, {"rules": [{}]})
          for name in ("default", DEMO, "knative-serving")),
    ]


NAMESPACES = ("envoy-gateway-system", "kafka", "knative-operator", "knative-serving", "knative-eventing", "camel-k", DEMO,
              "rook-ceph", "istio-system")
