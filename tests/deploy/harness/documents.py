"""The documents below deploy/ and deployment/ that go to a cluster, and mistakes planted into them."""

import json
import sys
from pathlib import Path

import yaml

from schemas import LOADER, file_name

REPO = Path(__file__).resolve().parents[3]

# Folders below deploy/ whose YAML files are manifests; elsewhere only those in a folder `manifests`.
PLAIN = ("alerts", "examples", "spark-launcher", "ceph", "minio", "aws", "demo")
# No manifests: an application in part, which the tests of the launcher hold against its definition; a project of functions.
OTHER = ("deploy/spark-launcher/template.yaml", "deploy/demo/func/")
# Kinds whose schema takes any field.
OPEN: set[str] = set()
# Fewer objects than these cannot be all of them.
FLOOR = 500


def plain() -> list[Path]:
    """The files that go to a cluster as they are."""
    found = []
    for path in sorted([*(REPO / "deploy").rglob("*.yaml"), *(REPO / "deployment").rglob("*.yaml")]):
        name = path.relative_to(REPO).as_posix()
        parts = name.split("/")
        if name.startswith(OTHER) or "helm" in parts or "charts" in parts:
            continue
        if "deployment" in parts or parts[1] in PLAIN or "manifests" in parts or "test" in parts[2:-1]:
            found.append(path)
    return found


def load(paths) -> list[tuple[Path, dict]]:
    out = []
    for path in paths:
        for document in yaml.load_all(Path(path).read_text(), LOADER):
            if document is None:
                continue
            if "kind" not in document or "apiVersion" not in document:
                sys.exit(f"error: {path}: a document without apiVersion or kind")
            out.append((Path(path), document))
    return out


def closed_objects(document, schema, path=()):
    """Paths of the objects in a document that may have no other fields than those listed."""
    if isinstance(document, dict) and isinstance(schema, dict):
        if schema.get("additionalProperties") is False:
            yield path
        for key, value in document.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if isinstance(inner, dict):
                yield from closed_objects(value, inner, (*path, key))
    elif isinstance(document, list) and isinstance(schema, dict) and isinstance(schema.get("items"), dict):
        for index, value in enumerate(document):
            yield from closed_objects(value, schema["items"], (*path, index))


def planted(document: dict, path: tuple) -> dict:
    bad = json.loads(json.dumps(document, default=str))
    place = bad
    for step in path:
        place = place[step]
    place["plantedField"] = "x"
    return bad


def plant(schemas: str, out: str, files: list[str]):
    """For each kind writes copies of one document, each with one unknown field, at every depth where one is refused."""
    first = {}
    for _, document in load(files):
        first.setdefault((document["apiVersion"], document["kind"]), document)
    written, without = 0, set()
    for (api, kind), document in first.items():
        schema = json.loads((Path(schemas) / file_name(api, kind)).read_text())
        deepest = {len(path): path for path in closed_objects(document, schema)}
        for depth, path in deepest.items():
            name = f"{kind}-{api.replace('/', '-')}-{depth}.json".lower()
            (Path(out) / name).write_text(json.dumps(planted(document, path)))
            written += 1
        if not deepest:
            without.add(kind)
    # A kind that refuses no field checks nothing; one that is named here for nothing has to go.
    if without != OPEN:
        sys.exit(f"error: kinds without a planted field: {sorted(without)}; those known to be open: {sorted(OPEN)}")
    print(written)


def check(files: list[str]):
    """Reads kubeconform's answer: every document was validated, and is valid."""
    answer = json.load(sys.stdin)["resources"]
    wrong = [r for r in answer if r["status"] != "statusValid"]
    for result in wrong:
        print(f"{result['filename']}: {result['kind']} {result['name']}: {result['status']}: {result['msg']}", file=sys.stderr)
    documents = load(files)
    if len(documents) < FLOOR:
        sys.exit(f"error: only {len(documents)} objects were found, {FLOOR} at least are wanted")
    if wrong:
        sys.exit(1)
    if len(answer) != len(documents) or not documents:
        sys.exit(f"error: {len(documents)} objects in the files, but {len(answer)} were validated")
    print(f"{len(answer)} objects of {len({(d['apiVersion'], d['kind']) for _, d in documents})} kinds")


def check_bad(count: str):
    """Reads kubeconform's answer: so many documents, and each is invalid for its planted field."""
    answer = json.load(sys.stdin)["resources"]
    for result in answer:
        if result["status"] != "statusInvalid" or "plantedField" not in result["msg"]:
            sys.exit(f"error: {result['filename']}: a planted field was not caught: {result['status']} {result['msg']}")
    if len(answer) != int(count) or not answer:
        sys.exit(f"error: {count} planted fields, but {len(answer)} documents were validated")
    print(f"{count} planted fields")


def main(command: str, *arguments: str):
    if command == "plain":
        print("\n".join(str(path) for path in plain()))
    elif command == "plant":
        plant(arguments[0], arguments[1], list(arguments[2:]))
    elif command == "check":
        check(list(arguments))
    elif command == "check-bad":
        check_bad(*arguments)
    else:
        sys.exit(f"unknown command {command}")


if __name__ == "__main__":
    main(*sys.argv[1:])
