"""Applies every document of the files named as arguments to the API server of KUBECONFIG."""

import os
import sys

from api import Api, install_crds
from documents import load


def main(*files: str):
    api = Api()
    count = install_crds(api, os.environ["CRDS_DIR"])
    documents = load(files)
    namespaces = {d["metadata"].get("namespace", "default") for _, d in documents} - {"default"}
    for name in sorted(namespaces):
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for path, document in documents:
        # What `generateName` names is made, not applied.
        if "name" not in document["metadata"]:
            sys.exit(f"error: {path}: a {document['kind']} without a name")
        try:
            # Not kept: the same objects come in several ways, and not every field may change.
            api.apply(document, dry_run=True)
        except (AssertionError, KeyError) as error:
            sys.exit(f"error: {path}: {document['kind']} {document['metadata']['name']}: {error}")
    print(f"ok    {len(documents)} objects applied, with {count} definitions", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
