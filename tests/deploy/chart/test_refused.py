"""Values that would lose events, leak secrets or mean nothing are refused before anything is installed."""

import tempfile
import unittest
from pathlib import Path

from rendered import CHART, LOADER, refusal, rendering, value_files

import json
import yaml

REFUSED = [
    ("outlast", {"retries": {"count": 10}}),
    ("grow in this order", {"lightWorker": {"deliveryTimeoutSeconds": 300}}),
    ("grow in this order", {"lightWorker": {"requestTimeoutSeconds": 295}}),
    ("grow in this order", {"sparkLauncher": {"timeoutSeconds": 60}}),
    ("answered 429", {"lightWorker": {"scale": {"target": 200}}}),
    ("min is above max", {"lightWorker": {"scale": {"min": 11}}}),
    ("there is no Broker", {"lightWorker": {"delivery": "direct", "quarantine": {"toBroker": True}}}),
    ("only with delivery direct", {"lightWorker": {"resultsTopic": "results"}}),
    ("nobody listens at zero", {"dispatcher": {"keda": {"enabled": True}, "notify": {"enabled": True}}}),
    ("TriggerAuthentication", {"kafka": {"security": "scram"}, "dispatcher": {"keda": {"enabled": True}}}),
    ("choose minScale", {"sparkLauncher": {"backend": "inline", "scan": "cronJob"}}),
    ("never be in sync", {"topics": {"minInsyncReplicas": 2}}),
    # By the schema.
    ("lightworker", {"lightworker": {"enabled": False}}),
    ("replica", {"dispatcher": {"replica": 1}}),
    ("delivery", {"lightWorker": {"delivery": "kafkasource"}}),
    ("batchMaxWait", {"dispatcher": {"batchMaxWait": "30"}}),
    ("s3.secret-access-key", {"catalog": {"properties": {"s3.secret-access-key": "hunter2"}}}),
    ("uri", {"catalog": {"properties": {"uri": "postgresql://user:hunter2@host/database"}}}),
    ("sasl.password", {"kafka": {"properties": {"sasl.password": "hunter2"}}}),
    ("bootstrapServers", {"kafka": {"bootstrapServers": "kafka://host:9092"}}),
    ("allowSources", {"catalog": {"allowSources": []}}),
    ("allowTables", {"catalog": {"allowTables": ["db"]}}),
]


def overlaid(base, over):
    """As Helm lays one file of values over another."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    merged = {**base, **{key: overlaid(base.get(key), value) for key, value in over.items()}}
    return {key: value for key, value in merged.items() if value is not None}


def switches(schema, path=()):
    """(path, its values) of each setting that has few of them."""
    for name, inner in schema.get("properties", {}).items():
        if inner.get("type") == "boolean":
            yield (*path, name), [True, False]
        elif "enum" in inner:
            yield (*path, name), inner["enum"]
        elif inner.get("type") == "object":
            yield from switches(inner, (*path, name))


class Refused(unittest.TestCase):
    def test_what_cannot_be_is_refused_with_its_name(self):
        with tempfile.TemporaryDirectory() as folder:
            for expected, values in REFUSED:
                with self.subTest(values=values):
                    said = refusal(values, Path(folder, "values.json"))
                    self.assertIn(expected, said)

    def test_no_field_of_the_schema_is_open_by_mistake(self):
        # Iceberg's and librdkafka's properties, labels, variables, rules and templates have names of their own.
        schema = json.loads((CHART / "values.schema.json").read_text())
        def closed(node, path):
            if node.get("type") == "object" and "properties" in node and "propertyNames" not in node:
                self.assertIs(node.get("additionalProperties"), False, path)
            for name, inner in {**node.get("properties", {}), **node.get("definitions", {})}.items():
                closed(inner, f"{path}/{name}")
        closed(schema, "")

    def test_every_value_is_in_the_schema_and_has_a_default(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        values = yaml.load((CHART / "values.yaml").read_text(), LOADER)
        def same(node, value, path):
            if node.get("additionalProperties") is False and isinstance(value, dict) and path != "sparkLauncher/template":
                self.assertEqual(set(node["properties"]) - {"global"}, set(value), path)
                for name in value:
                    same(node["properties"][name], value[name], f"{path}/{name}".lstrip("/"))
        same(schema, values, "")

    def test_every_switch_is_tried_both_ways(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        base = yaml.load((CHART / "values.yaml").read_text(), LOADER)
        tried = [overlaid(base, yaml.load(file.read_text(), LOADER)) if file else base for file in value_files()]
        def at(values, path):
            for name in path:
                values = values.get(name, {}) if isinstance(values, dict) else {}
            return values
        for path, choices in switches(schema):
            for choice in choices:
                with self.subTest("/".join(path), choice=choice):
                    self.assertTrue(any(at(values, path) == choice for values in tried))

    def test_secrets_are_references(self):
        for values in value_files():
            for o in rendering(values):
                self.assertNotEqual(o["kind"], "Secret", values)
