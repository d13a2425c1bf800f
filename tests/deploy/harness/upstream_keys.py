"""Checks the keys of a file of tests/deploy/upstream against the values.yaml of the real chart, for whoever changes its version.

upstream_keys.py FIXTURE VALUES
"""

import sys
from pathlib import Path

import yaml

TYPES = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "array": list, "object": dict}


def missing(keys, values, path=""):
    """Keys that the chart does not have, or whose default is of another type; an empty default may become anything."""
    for key, kind in keys.items():
        place = f"{path}.{key}"
        if not isinstance(values, dict) or key not in values:
            yield f"{place[1:]} is not there"
        elif isinstance(kind, dict):
            yield from missing(kind, values[key], place)
        elif kind != "any" and values[key] is not None and not isinstance(values[key], TYPES[kind]):
            yield f"{place[1:]} is {values[key]!r}, no {kind}"


def main(fixture: str, values: str):
    real = yaml.safe_load(Path(values).read_text())
    # Istio's charts keep their defaults one level deeper.
    real = real.get("_internal_defaults_do_not_set", real)
    wrong = list(missing(yaml.safe_load(Path(fixture).read_text())["keys"], real))
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
