"""Where files are, for the peers: in a local folder, or on S3."""

import argparse
import json
import resource
import time
from collections.abc import Callable

import pyarrow.fs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="source", required=True, help="folder, or s3://bucket/prefix")
    parser.add_argument("--to", required=True, help="folder, or s3://bucket/prefix")
    parser.add_argument("--s3", type=json.loads, default={}, help="Iceberg's s3.* properties as JSON")
    parser.add_argument("--warm-up", action="store_true", help="do it all once before, and measure the second time")


def file_system(place: str, s3: dict[str, str]) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system of a place, and the place's path there."""
    if not place.startswith("s3://"):
        return pyarrow.fs.LocalFileSystem(), place
    system = pyarrow.fs.S3FileSystem(
        access_key=s3["s3.access-key-id"],
        secret_key=s3["s3.secret-access-key"],
        endpoint_override=s3["s3.endpoint"],
        region=s3["s3.region"],
    )
    return system, place.removeprefix("s3://")


def files(place: str, s3: dict[str, str]) -> tuple[pyarrow.fs.FileSystem, list[str]]:
    """The paths of all files in a place, in order."""
    system, path = file_system(place, s3)
    found = system.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
    return system, sorted(info.path for info in found if info.is_file)


def timed(work: Callable[[str], dict], to: str, warm_up: bool) -> None:
    """Does the work and prints what it said, with seconds and CPU seconds, as the last line."""
    if warm_up:
        work(f"{to}-warm-up")
    cpu, began = cpu_seconds(), time.monotonic()
    said = work(to)
    seconds = time.monotonic() - began
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds() - cpu} | said))


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
