"""What stands in two places is the same in both, and what the platform's names bind is so named."""

import json
import unittest

from rendered import CHART, NAMESPACE, REPO, documents, of_kind, pods, rendering, renderings, value_files

DEPLOY = REPO / "deploy"
CEPH = DEPLOY / "ceph/manifests"
DAY = 86_400_000


def ci(name: str):
    return rendering(CHART / "ci" / f"{name}.yaml")


def only(objects, kind: str, name: str | None = None) -> dict:
    [found] = [o for o in of_kind(objects, kind) if name in (None, o["metadata"]["name"])]
    return found


class OneSource(unittest.TestCase):
    def test_the_scaled_object_is_that_of_the_examples(self):
        [example] = documents(DEPLOY / "examples/keda-dispatcher.yaml")
        ours = only(ci("keda-notify"), "ScaledObject")["spec"]
        # With the webhook one stays.
        self.assertEqual(ours, {**example["spec"], "minReplicaCount": 1})
        self.assertEqual(only(ci("scram"), "ScaledObject")["spec"]["minReplicaCount"], 0)

    def test_a_scaled_deployment_says_no_number(self):
        for case in ("keda-notify", "scram"):
            self.assertNotIn("replicas", only(ci(case), "Deployment", "dispatcher")["spec"])

    def test_one_mechanism(self):
        # What Strimzi gives the user, what programs are told, what the scaler is, and what the Secret says to Eventing.
        objects = ci("scram")
        self.assertEqual(only(objects, "KafkaUser")["spec"]["authentication"]["type"], "scram-sha-512")
        told = {
            variable["value"]
            for _, spec, _ in pods(objects) for container in spec["containers"] for variable in container.get("env", [])
            if variable["name"] == "KAFKA_SASL_MECHANISM"
        }
        self.assertEqual(told, {"SCRAM-SHA-512"})
        triggers = only(objects, "ScaledObject")["spec"]["triggers"]
        self.assertEqual([trigger["metadata"]["sasl"] for trigger in triggers], ["scram_sha512"])
        self.assertIn('printf SCRAM-SHA-512 >"$work/sasl.mechanism"', (CHART / "scripts/kafka-secret.sh").read_text())

    def test_the_launcher_may_what_its_role_says(self):
        role = only(documents(DEPLOY / "spark-launcher/rbac.yaml"), "Role")
        for case, objects in renderings():
            for ours in of_kind(objects, "Role"):
                with self.subTest(case):
                    self.assertEqual(ours["rules"], role["rules"])
        elsewhere = ci("scan-cronjob")
        self.assertEqual(only(elsewhere, "Role")["metadata"]["namespace"], "spark-jobs")
        binding = only(elsewhere, "RoleBinding")
        self.assertEqual(binding["metadata"]["namespace"], "spark-jobs")
        self.assertEqual(binding["subjects"][0]["namespace"], NAMESPACE)
        self.assertEqual(of_kind(ci("inline"), "Role"), [])

    def test_alerts_are_those_of_the_folder(self):
        def alerts(rules):
            return {rule["alert"]: rule for o in rules for group in o["spec"]["groups"] for rule in group["rules"]}
        # The chart runs no standalone mode.
        files = [file for file in (DEPLOY / "alerts").glob("*.yaml") if file.stem != "standalone"]
        given = alerts([o for file in files for o in documents(file)])
        self.assertIn("EventIngestHeavyNoScan", given)
        production = of_kind(rendering(CHART / "values-production.yaml"), "PrometheusRule")
        self.assertEqual(alerts(production), given)
        # Jobs scan there, which nobody scrapes.
        scans = alerts(of_kind(ci("scan-cronjob"), "PrometheusRule"))
        self.assertEqual(set(given) - set(scans), {"EventIngestHeavyNoScan"})
        # A dispatcher that scales to zero is missed by nobody, and what does not run has no alerts.
        scaled = alerts(of_kind(ci("scram"), "PrometheusRule"))
        self.assertEqual(set(given) - set(scaled), {"EventIngestDispatcherGone"})

    def test_alerts_name_their_runbooks_by_path_or_by_the_address_that_the_values_have(self):
        addresses = {"scram": "docs", "scan-cronjob": "https://docs.example/event-ingest"}
        for case, docs in addresses.items():
            rules = of_kind(ci(case), "PrometheusRule")
            self.assertGreater(len(rules), 0, case)
            for alert in (alert for rule in rules for group in rule["spec"]["groups"] for alert in group["rules"]):
                path = f"runbooks/{alert['alert']}.md"
                self.assertEqual(alert["annotations"]["runbook_url"], f"{docs}/{path}")
                self.assertTrue((REPO / "docs" / path).is_file(), path)


class Names(unittest.TestCase):
    def test_topics(self):
        topics = {o["metadata"]["name"]: o for o in of_kind(rendering(None), "KafkaTopic")}
        days = {"s3-events": 1, "light-ingest": 1, "heavy-ingest": 7, "ingest-dlq": 14}
        self.assertEqual(set(topics), set(days))
        for name, topic in topics.items():
            self.assertEqual(topic["metadata"]["namespace"], "kafka")
            self.assertEqual(topic["metadata"]["labels"]["strimzi.io/cluster"], "events-kafka")
            self.assertEqual(topic["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")
            self.assertEqual((topic["spec"]["partitions"], topic["spec"]["replicas"]), (3, 1))
            self.assertEqual(topic["spec"]["config"]["retention.ms"], str(days[name] * DAY))

    def test_everything_else_is_in_the_release_namespace(self):
        for case, objects in renderings():
            for o in objects:
                elsewhere = o["kind"] in ("KafkaTopic", "KafkaUser") or case == "scan-cronjob" and o["kind"].startswith("Role")
                if not elsewhere:
                    self.assertEqual(o["metadata"].get("namespace"), NAMESPACE, f"{case}: {o['kind']}")

    def test_the_bucket_speaks_of_the_same_topic_user_and_bucket(self):
        user = only(documents(CEPH / "user.yaml"), "CephObjectStoreUser")
        policy = json.loads((DEPLOY / "ceph/policy.json").read_text())
        name = user["metadata"]["name"]
        self.assertEqual(policy["Statement"][0]["Principal"], {"AWS": [f"arn:aws:iam:::user/{name}"]})
        secret = only(documents(CEPH / "user.yaml"), "Secret")
        for key in user["spec"]["keys"]:
            for reference in key.values():
                self.assertEqual(reference["name"], secret["metadata"]["name"])
                self.assertIn(reference["key"], secret["stringData"])
        [topic] = documents(CEPH / "topic.yaml")
        self.assertIn(topic["metadata"]["name"], {o["metadata"]["name"] for o in of_kind(rendering(None), "KafkaTopic")})
        self.assertIs(topic["spec"]["persistent"], True)
        self.assertEqual(topic["spec"]["endpoint"]["kafka"]["ackLevel"], "broker")
        notifications = documents(CEPH / "notifications.yaml")
        claim = only(documents(CEPH / "buckets.yaml"), "ObjectBucketClaim", "events-inbox")
        labels = {name for name in claim["metadata"]["labels"] if name.startswith("bucket-notification-")}
        self.assertEqual(labels, {f"bucket-notification-{n['metadata']['name']}" for n in notifications})
        for notification in notifications:
            self.assertEqual(notification["spec"]["topic"], topic["metadata"]["name"])
            self.assertEqual({o["metadata"]["namespace"] for o in (topic, claim, notification)}, {"rook-ceph"})

    def test_the_demos_sources_keep_what_is_not_taken(self):
        sources = [o for file in (DEPLOY / "demo").rglob("*.yaml") for o in documents(file) if o.get("kind") == "KafkaSource"]
        self.assertEqual({o["metadata"]["name"] for o in sources}, {"demo-source", "s3-event-source"})
        for source in sources:
            self.assertEqual(source["spec"]["initialOffset"], "earliest")
            self.assertGreater(source["spec"]["delivery"]["retry"], 0)
            self.assertIn("deadLetterSink", source["spec"]["delivery"])


class Pods(unittest.TestCase):
    def test_containers_can_do_little(self):
        for case, objects in renderings():
            for name, spec, metadata in pods(objects):
                for container in spec["containers"]:
                    with self.subTest(case, name=name):
                        security = container["securityContext"]
                        self.assertIs(security["runAsNonRoot"], True)
                        self.assertIs(security["readOnlyRootFilesystem"], True)
                        self.assertIs(security["allowPrivilegeEscalation"], False)
                        self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
                        self.assertEqual(security["seccompProfile"], {"type": "RuntimeDefault"})
                        self.assertIn("memory", container["resources"]["limits"])
                        # Only the launcher speaks to the Kubernetes API.
                        if container["name"] != "spark-launcher":
                            self.assertIs(spec.get("automountServiceAccountToken"), False)

    def test_jobs_end_beside_no_sidecar(self):
        for case, objects in renderings():
            for name, spec, metadata in pods(objects):
                if "restartPolicy" in spec:
                    self.assertEqual(metadata["labels"]["sidecar.istio.io/inject"], "false", f"{case}: {name}")

    def test_knative_takes_the_fields(self):
        # Behind feature flags of Serving: the webhook refuses them as it is installed.
        flagged = {"affinity", "nodeSelector", "tolerations", "topologySpreadConstraints", "securityContext", "initContainers"}
        for case, objects in renderings():
            for service in of_kind(objects, "Service", "serving.knative.dev"):
                spec = service["spec"]["template"]["spec"]
                self.assertEqual(flagged & set(spec), set(), case)
                self.assertIsNot(spec.get("automountServiceAccountToken"), True)
                self.assertLessEqual(spec["timeoutSeconds"], 600)

    def test_everything_that_is_watched_and_fenced_chooses_pods(self):
        chosen = 0
        for values in value_files():
            objects = rendering(values)
            labels = [metadata["labels"] for _, _, metadata in pods(objects)]
            for kind in ("PodMonitor", "PodDisruptionBudget", "NetworkPolicy"):
                for o in of_kind(objects, kind):
                    selector = o["spec"].get("selector") or o["spec"]["podSelector"]
                    with self.subTest(values, kind=kind, name=o["metadata"]["name"]):
                        wanted = selector["matchLabels"].items()
                        self.assertEqual(sum(wanted <= found.items() for found in labels), 1)
                        chosen += 1
        self.assertGreater(chosen, 40)
