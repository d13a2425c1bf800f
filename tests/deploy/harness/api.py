"""The Kubernetes API for tests: objects as they are, statuses as the absent controllers would write them."""

import os
import time
from pathlib import Path

import requests
import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PATCH = {"Content-Type": "application/merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}


class Api:
    def __init__(self, kubeconfig: str | None = None):
        config = yaml.safe_load(Path(kubeconfig or os.environ["KUBECONFIG"]).read_text())
        cluster = config["clusters"][0]["cluster"]
        self.server = cluster["server"]
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = cluster["certificate-authority"]
        self.session.headers["Authorization"] = f"Bearer {config['users'][0]['user']['token']}"
        self.resources = {}

    def call(self, method: str, path: str, ok=(200, 201, 202), **options):
        answer = self.session.request(method, self.server + path, timeout=30, **options)
        if answer.status_code not in ok:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text[:400]}")
        return answer.json()

    def resource(self, api_version: str, kind: str) -> tuple[str, bool]:
        """The path's last part of a kind, and whether it lives in namespaces."""
        if (api_version, kind) not in self.resources:
            root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
            for found in self.call("GET", root)["resources"]:
                if "/" not in found["name"]:
                    self.resources[api_version, found["kind"]] = (f"{root}", found["name"], found["namespaced"])
        return self.resources[api_version, kind]

    def path(self, document: dict) -> str:
        root, plural, namespaced = self.resource(document["apiVersion"], document["kind"])
        meta = document["metadata"]
        place = f"/namespaces/{meta.get('namespace', 'default')}" if namespaced else ""
        return f"{root}{place}/{plural}/{meta['name']}"

    def exists(self, document: dict) -> bool:
        path = self.path(document)
        return self.session.get(self.server + path, timeout=30).status_code == 200

    def apply(self, document: dict, dry_run=False):
        """Server-side, with strict validation; then its status, if it has one."""
        body = {key: value for key, value in document.items() if key != "status"}
        query = "?fieldManager=tests&force=true&fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        applied = self.call("PATCH", self.path(document) + query, data=yaml.safe_dump(body), headers=APPLY)
        if "status" in document and not dry_run:
            self.status(document, document["status"])
        return applied

    def status(self, document: dict, status: dict):
        self.call("PATCH", self.path(document) + "/status", json={"status": status}, headers=PATCH)

    def delete(self, document: dict):
        self.call("DELETE", self.path(document), ok=(200, 202, 404), json={"propagationPolicy": "Background", "gracePeriodSeconds": 0})

    def items(self, api_version: str, kind: str, namespace: str | None = None) -> list[dict]:
        root, plural, _ = self.resource(api_version, kind)
        place = f"/namespaces/{namespace}" if namespace else ""
        found = self.call("GET", f"{root}{place}/{plural}")["items"]
        return [{"apiVersion": api_version, "kind": kind, **item} for item in found]


def install_crds(api: Api, folder: str):
    """All definitions, and waits until they are served. No webhook converts: none runs."""
    names = []
    for path in sorted(Path(folder).rglob("*.yaml")):
        crd = yaml.load(path.read_text(), LOADER)
        crd["spec"].pop("conversion", None)
        api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", ok=(201, 409), json=crd)
        names.append(crd["metadata"]["name"])
    deadline = time.monotonic() + 120
    for name in names:
        while not is_established(api, name):
            assert time.monotonic() < deadline, f"{name} is not established"
            time.sleep(0.1)
    return len(names)


def is_established(api: Api, name: str) -> bool:
    crd = api.call("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
    conditions = crd.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def condition(kind: str, status: str = "True") -> dict:
    return {"type": kind, "status": status, "reason": "Test", "message": "as a test wrote it",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}
