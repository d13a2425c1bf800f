"""Flags and environment of the job."""

import argparse
import os
from dataclasses import dataclass

from . import documents, request
from .faults import Refused
from .store import Place

#: Of the folders below the heavy root, see docs/heavy.md.
RECORDS, STAGES = "records", "stages"


@dataclass(frozen=True)
class Settings:
    """What the job is told beside the request."""

    catalog: str
    publisher: str
    #: The folder of all lists, `<heavy root>/stages`.
    stages: str
    place: Place


def parser() -> argparse.ArgumentParser:
    """The flags; each has an environment variable."""
    flags = argparse.ArgumentParser("event-ingest-job", description="Stages a heavy batch and has it published.")
    flags.add_argument("request", help="URI of an attempt's file, or an IngestRequest as JSON")
    flags.add_argument("--catalog", default=os.environ.get("SPARK_CATALOG") or "lake", help="[SPARK_CATALOG=lake]")
    flags.add_argument("--publisher", default=os.environ.get("PUBLISHER_URL"), help="the light worker [PUBLISHER_URL]")
    flags.add_argument(
        "--stages",
        default=os.environ.get("STAGES_ROOT"),
        help="folder of the lists, <heavy root>/stages; an attempt's URI tells it [STAGES_ROOT]",
    )
    return flags


def load(arguments: argparse.Namespace) -> tuple[Settings, request.Request]:
    """Settings and request. Raises `Refused` for what is missing or wrong, `Unavailable` if the URI cannot be read."""
    place = Place.of_environment()
    given, stages = arguments.request.strip(), arguments.stages
    if given.startswith("{"):
        wanted = request.parse(given)
    else:
        wanted = request.parse(documents.read(place, given))
        stages = stages or stages_of(given)
    if not stages:
        raise Refused("where do lists go? give --stages (STAGES_ROOT), or the request as an attempt's URI")
    if not arguments.publisher:
        raise Refused("who publishes? give --publisher (PUBLISHER_URL), the light worker's address")
    return Settings(arguments.catalog, arguments.publisher, stages.rstrip("/"), place), wanted


def stages_of(attempt: str) -> str | None:
    """`<heavy root>/stages` from `<heavy root>/records/<id>/attempt-<n>.json`; none for other addresses."""
    parts = attempt.rsplit("/", 3)
    return f"{parts[0]}/{STAGES}" if len(parts) == 4 and parts[1] == RECORDS else None
