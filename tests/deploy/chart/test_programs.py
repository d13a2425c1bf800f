"""Every variable and flag that a template sets is one of the program's."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from rendered import REPO, of_kind, pods, renderings, variables

CRATES = REPO / "crates"
LOGGING = "service-kit/src/logging.rs"
LAKE = "lake-args/src/lib.rs"
# Where each program's flags are defined. A container bears its program's name.
SOURCES = {
    "dispatcher": ["dispatcher/src/args.rs", "dispatcher/src/notify/args.rs", LOGGING],
    "light-worker": ["light-worker/src/config.rs", LAKE, LOGGING],
    "spark-launcher": ["spark-launcher/src/config.rs", "spark-launcher/src/operator/args.rs", LAKE, LOGGING],
    "console": [
        "event-ingest/src/commands/console.rs", "event-ingest/src/commands/topics.rs", "event-ingest/src/cluster/args.rs",
        "event-ingest/src/commands/settings.rs", LAKE, LOGGING,
    ],
    "reconcile": [
        "event-ingest/src/commands/reconcile.rs", "event-ingest/src/commands/print/mod.rs", "event-ingest/src/commands/settings.rs", "dispatcher/src/args.rs", LAKE, LOGGING,
    ],
}
KAFKA, CATALOG = "KAFKA_", "ICEBERG_CATALOG__"
# Which of them pass properties through.
PASSED = {
    "dispatcher": (KAFKA,), "light-worker": (KAFKA, CATALOG), "spark-launcher": (KAFKA, CATALOG), "reconcile": (CATALOG,),
    "console": (KAFKA, CATALOG),
}
# Read by glibc.
OTHERS = {"MALLOC_ARENA_MAX"}
# What `spark/event_ingest_job` and the AWS libraries read in drivers and executors.
OF_SPARK = {"PUBLISHER_URL", "SPARK_CATALOG", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "TZ"}


def source(program: str) -> str:
    return "\n".join((CRATES / path).read_text() for path in SOURCES[program])


def known_variables(program: str) -> set[str]:
    return set(re.findall(r'env = "([A-Z0-9_]+)"', source(program)))


def known_flags(program: str) -> set[str]:
    """Of `#[arg(long …)]` the field's name, or the one that is given."""
    text, flags = source(program), set()
    for arguments, name in re.findall(r"#\[arg\(([^\]]*)\)\]\s*(?://[^\n]*\s*)*pub (\w+):", text):
        given = re.search(r'long = "([^"]+)"', arguments)
        if given or re.search(r"\blong\b", arguments):
            flags.add("--" + (given.group(1) if given else name.replace("_", "-")))
    return flags


def containers():
    for case, objects in renderings():
        for name, spec, _ in pods(objects):
            for container in spec["containers"]:
                if container["name"] in SOURCES:
                    yield f"{case}: {name}", container, spec, objects


class Names(unittest.TestCase):
    def test_every_variable_is_one_of_the_program(self):
        seen = set()
        for case, container, _, _ in containers():
            program = container["name"]
            seen.add(program)
            for name in variables(container):
                if name in OTHERS or name.startswith(PASSED[program]):
                    continue
                self.assertIn(name, known_variables(program), case)
        self.assertEqual(seen, set(SOURCES))

    def test_every_flag_is_one_of_the_program(self):
        seen = set()
        for case, container, _, _ in containers():
            for argument in container.get("args", []):
                if argument.startswith("-"):
                    self.assertIn(argument.split("=")[0], known_flags(container["name"]), case)
                    seen.add(argument)
        self.assertEqual(seen, {"--scan-once", "--apply", "--output=json"})

    def test_the_job_knows_its_variables(self):
        code = "\n".join(path.read_text() for path in (REPO / "spark/event_ingest_job").glob("*.py"))
        for name in ("PUBLISHER_URL", "SPARK_CATALOG", "AWS_ENDPOINT_URL_S3"):
            self.assertIn(f'"{name}"', code)
        for case, container, _, _ in containers():
            given = variables(container).get("SPARK_ENV")
            if given:
                self.assertLessEqual({pair.split("=")[0] for pair in given["value"].split(",")}, OF_SPARK, case)


def program_file(container: dict) -> Path | None:
    """The program as it was built, or none."""
    target = os.environ.get("CARGO_TARGET_DIR")
    name = "event-ingest" if container["name"] in ("reconcile", "console") else container["name"]
    path = Path(target, "debug", name) if target else None
    return path if path and path.exists() else None


def mounted(container: dict, spec: dict, objects, folder: Path) -> dict[str, str]:
    """The variables with their values, files laid into a folder."""
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    for mount in container.get("volumeMounts", []):
        place = folder / mount["mountPath"].lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        volume = volumes[mount["name"]]
        if "configMap" in volume:
            [found] = [o for o in of_kind(objects, "ConfigMap") if o["metadata"]["name"] == volume["configMap"]["name"]]
            for name, text in found["data"].items():
                (place / name).write_text(text)
        else:
            for name in ("ca.crt", "user.crt", "user.key", "password", "token"):
                (place / name).write_text("secret")
    values = {name: variable.get("value", "from-a-secret") for name, variable in variables(container).items()}
    return {name: str(folder) + value if value.startswith("/etc/") else value for name, value in values.items()}


class Programs(unittest.TestCase):
    def test_they_take_what_they_are_given(self):
        ran = 0
        for case, container, spec, objects in containers():
            program = program_file(container)
            if not program:
                self.skipTest("the programs are not built: make build")
            with self.subTest(case), tempfile.TemporaryDirectory() as folder:
                environment = mounted(container, spec, objects, Path(folder))
                # What catalog.secretName holds.
                if container.get("envFrom"):
                    environment["ICEBERG_CATALOG__URI"] = "postgresql://user:password@host/database"
                command = [program, *container.get("args", []), "--print-config"]
                done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
                # Each as it says where a setting came from; what it does not name, it has not read.
                for name in variables(container).keys() - OTHERS:
                    self.assertRegex(done.stdout, rf"# env {name}\n")
                ran += 1
        self.assertGreater(ran, 30)

    def test_the_end_to_end_demo_asks_with_the_workers_settings(self):
        sys.path.insert(0, str(REPO / "deploy/demo/end-to-end"))
        import ask

        for case, objects in renderings():
            for service in of_kind(objects, "Service", "serving.knative.dev"):
                if "worker" not in service["metadata"]["name"]:
                    continue
                pod = ask.pod(service, "", "s3://events-inbox/incoming/a.parquet", "db.my_table")
                [container] = pod["spec"]["containers"]
                program = program_file({"name": "reconcile"})
                if not program:
                    self.skipTest("the programs are not built: make build")
                with self.subTest(case), tempfile.TemporaryDirectory() as folder:
                    environment = mounted(container, pod["spec"], objects, Path(folder))
                    command = [program, *container["args"], "--print-config"]
                    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    for name in variables(container).keys() - OTHERS:
                        if not name.startswith(KAFKA):
                            self.assertRegex(done.stdout, rf"# env {name}\n")

    def test_the_rules_are_rules(self):
        for case, container, spec, objects in containers():
            if container["name"] != "dispatcher":
                continue
            program = program_file({"name": "reconcile"})
            if not program:
                self.skipTest("the programs are not built: make build")
            with self.subTest(case), tempfile.TemporaryDirectory() as folder:
                rules = mounted(container, spec, objects, Path(folder))["RULES"]
                done = subprocess.run([program, "rules", "check", rules], env={}, capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
