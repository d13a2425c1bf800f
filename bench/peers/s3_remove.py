#!/usr/bin/env python3
"""Removes all objects under a prefix: what the last measurement wrote."""

import argparse
import json

import place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prefix", help="s3://bucket/prefix")
    parser.add_argument("--s3", type=json.loads, required=True, help="Iceberg's s3.* properties as JSON")
    arguments = parser.parse_args()
    system, path = place.file_system(arguments.prefix, arguments.s3)
    system.delete_dir_contents(path, missing_dir_ok=True)


if __name__ == "__main__":
    main()
