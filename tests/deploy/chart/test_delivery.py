"""No event is given up early, skipped or lost on its way to a service."""

import unittest

from rendered import of_kind, rendering, renderings, seconds, value_files, variables

OUTAGE = 3600


def knative_services(objects) -> dict[str, dict]:
    return {o["metadata"]["name"]: o for o in of_kind(objects, "Service", "serving.knative.dev")}


def deliveries(objects):
    """(name, delivery, name of the Knative Service that it reaches) of each source and Trigger."""
    triggers = of_kind(objects, "Trigger")
    for source in of_kind(objects, "KafkaSource"):
        sink = source["spec"]["sink"]["ref"]
        if sink["kind"] == "Broker":
            # Answers at once; what counts is what the Triggers do.
            assert any(t["spec"]["broker"] == sink["name"] for t in triggers), "nobody takes it from the Broker"
        yield source["metadata"]["name"], source["spec"]["delivery"], sink["name"] if sink["kind"] == "Service" else None
    for trigger in triggers:
        yield trigger["metadata"]["name"], trigger["spec"]["delivery"], trigger["spec"]["subscriber"]["ref"]["name"]


class Delivery(unittest.TestCase):
    def each(self):
        for case, objects in renderings():
            for name, delivery, service in deliveries(objects):
                yield f"{case}: {name}", objects, delivery, service

    def test_times_are_in_order(self):
        seen = 0
        for name, objects, delivery, service in self.each():
            if not service:
                continue
            spec = knative_services(objects)[service]["spec"]["template"]["spec"]
            request = seconds(variables(spec["containers"][0])["REQUEST_TIMEOUT"]["value"])
            self.assertLess(request, seconds(delivery["timeout"]), name)
            self.assertLess(seconds(delivery["timeout"]), spec["timeoutSeconds"], name)
            seen += 1
        self.assertGreater(seen, 20)

    def test_an_outage_of_an_hour_is_outlasted(self):
        for name, _, delivery, _ in self.each():
            self.assertEqual(delivery["backoffPolicy"], "linear", name)
            tries, delay = delivery["retry"], seconds(delivery["backoffDelay"])
            self.assertGreaterEqual(sum(delay * n for n in range(1, tries + 1)), OUTAGE, name)

    def test_what_is_given_up_goes_to_the_dead_letters(self):
        for name, objects, delivery, _ in self.each():
            wanted = delivery["deadLetterSink"]["ref"]
            self.assertEqual((wanted["kind"], wanted["name"]), ("KafkaSink", "ingest-dlq"), name)
            for sink in of_kind(objects, "KafkaSink"):
                self.assertEqual((sink["metadata"]["name"], sink["spec"]["topic"]), ("ingest-dlq", "ingest-dlq"))
        # One release may leave the sink to another, no more.
        without = [case for case, objects in renderings()
                   if of_kind(objects, "KafkaSource") and not of_kind(objects, "KafkaSink")]
        self.assertEqual(without, ["values-csv-to-iceberg"])

    def test_sources_begin_at_the_earliest_and_wait_for_nothing(self):
        for case, objects in renderings():
            for source in of_kind(objects, "KafkaSource"):
                with self.subTest(case, name=source["metadata"]["name"]):
                    self.assertEqual(source["spec"]["initialOffset"], "earliest")
                    self.assertEqual(source["spec"]["ordering"], "unordered")

    def test_services_admit_by_themselves(self):
        for case, objects in renderings():
            for name, service in knative_services(objects).items():
                with self.subTest(case, name=name):
                    template = service["spec"]["template"]
                    self.assertEqual(template["spec"]["containerConcurrency"], 0)
                    given = variables(template["spec"]["containers"][0])
                    room = int(given.get("REQUEST_CONCURRENCY", {"value": "8"})["value"])
                    room += int(given.get("REQUEST_QUEUE", {"value": "64"})["value"])
                    self.assertLessEqual(int(template["metadata"]["annotations"]["autoscaling.knative.dev/target"]), room)

    def test_consumer_groups_are_never_shared(self):
        for case, objects in renderings():
            groups = [source["spec"]["consumerGroup"] for source in of_kind(objects, "KafkaSource")]
            for deployment in of_kind(objects, "Deployment"):
                [container] = deployment["spec"]["template"]["spec"]["containers"]
                # It looks at all groups and is a member of none.
                if container["name"] == "console":
                    continue
                given = variables(container)
                groups += [given[name]["value"] for name in ("GROUP", "LIGHT_GROUP") if name in given]
            with self.subTest(case):
                self.assertEqual(len(groups), len(set(groups)), groups)

    def test_two_releases_have_no_object_in_common(self):
        def names(objects):
            return {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects if o["kind"] != "Pod"}
        [second] = [path for path in value_files() if path and path.stem == "values-csv-to-iceberg"]
        self.assertEqual(names(rendering(None)) & names(rendering(second)), set())

    def test_the_dispatcher_has_time_to_drain(self):
        for case, objects in renderings():
            for deployment in of_kind(objects, "Deployment"):
                spec = deployment["spec"]["template"]["spec"]
                drain = seconds(variables(spec["containers"][0]).get("SHUTDOWN_TIMEOUT", {"value": "25s"})["value"])
                with self.subTest(case):
                    self.assertGreater(spec["terminationGracePeriodSeconds"], drain)
