"""Writes the definitions of some kinds, or of all, from a file of many documents into a folder, a file each.

split_crds.py FILE FOLDER [KIND…]
"""

import sys
from pathlib import Path

import yaml


def main(file: str, folder: str, *kinds: str):
    found = set()
    Path(folder).mkdir(parents=True, exist_ok=True)
    for document in yaml.safe_load_all(Path(file).read_text()):
        if not document or document.get("kind") != "CustomResourceDefinition":
            continue
        kind = document["spec"]["names"]["kind"]
        if kinds and kind not in kinds:
            continue
        found.add(kind)
        (Path(folder) / f"{document['metadata']['name']}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    if not found or not found.issuperset(kinds):
        sys.exit(f"error: {file} does not define {', '.join(sorted(set(kinds) - found)) or 'anything'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
