#!/usr/bin/env python3
"""Measures how fast notifications become requests: the dispatcher beside the Camel route that it replaces and a bare poll
loop, on the same records of one Kafka, in turn.

Each measurement is a process of its own, in a consumer group and with topics of its own. It prints tables, and at the
end the expectations with what was found as JSON, one a line. bench/README.md explains the columns.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from broker import Broker, broker
from expectations import verdicts
from figures import Figures, OneRun, heading
from participants import Participant, ours, participants
from process import Failed, Process

# Files of a request, by default.
BATCH = 50


def one_run(at: Broker, who: Participant, records: int, instances: int, scratch: Path) -> OneRun:
    """All of the records, once."""
    to = at.outputs()
    still_open = (BATCH - 1) * (instances if instances > 1 else 0)
    running = []
    try:
        for number in range(instances):
            running.append(Process(who.command(at, to, records), scratch / f"{to.group}-{number}.log"))
        began = running[0].began
        if not who.dispatches:
            seconds = running[0].seconds_to_its_line()
            usage = running[0].usage()
            return OneRun(records, seconds, usage.cpu_seconds, usage.peak_mib)
        at.wait_for(to, (records - still_open) // BATCH)
        usages = [process.usage() for process in running]
    finally:
        for process in running:
            process.stop()
    said = at.tally(to, records, still_open)
    # Camel loses what its aggregator holds when it ends; whoever has read all has nothing there.
    if said["distinct"] != records:
        raise Failed(f"{records - said['distinct']} of {records} objects are in no request")
    return OneRun(
        records,
        said["done_millis"] / 1000 - began,
        sum(usage.cpu_seconds for usage in usages),
        max(usage.peak_mib for usage in usages),
        (said["done_millis"] - said["first_millis"]) / 1000,
        said["files"] - said["distinct"],
    )


def measure(at: Broker, who: Participant, into: Figures, records: int, scratch: Path) -> None:
    if into.failure:
        return
    try:
        into.runs.append(one_run(at, who, records, into.instances, scratch))
    except Failed as failed:
        into.failure = str(failed)


def beside_others(at: Broker, arguments: argparse.Namespace, scratch: Path) -> list[Figures]:
    """All in turn, and that several times: what slows the machine for a while slows them all."""
    taking_part = [(who, Figures(who.name)) for who in participants(arguments.dispatcher)]
    for round in range(arguments.repeat):
        for who, figures in taking_part:
            if who.rounds is None or round < who.rounds:
                measure(at, who, figures, arguments.records, scratch)
    return [figures for _, figures in taking_part]


def by_instances(at: Broker, arguments: argparse.Namespace, scratch: Path) -> list[Figures]:
    found = [Figures("ours", instances) for instances in (1, 2, 3)]
    for _ in range(arguments.repeat):
        for figures in found:
            measure(at, ours(arguments.dispatcher), figures, arguments.records, scratch)
    return found


# The notifications of one measurement of latency, the milliseconds between two, and how long a batch stays open.
LATENCIES = [
    ("a batch of one file", 500, 20, 0, ["--batch-max-files", "1"]),
    ("a window of 200 ms", 100, 300, 200, ["--batch-max-wait", "200ms"]),
]


def latencies(at: Broker, program: str, scratch: Path):
    """From a notification to its request, beyond what the batch waits for."""
    for name, count, every, window, options in LATENCIES:
        to = at.outputs()
        # Its own source, empty at the beginning.
        source = f"source-{to.group}"
        at.ask("topics", source)
        process = Process(ours(program, *options, source=source).command(at, to, count), scratch / f"{to.group}.log")
        try:
            numbers = ["--count", str(count), "--every", str(every), "--window", str(window)]
            yield {"name": name} | at.ask("latency", "--from", source, "--to", to.light, "--to", to.heavy, *numbers)
        finally:
            process.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dispatcher", required=True, help="our program `dispatcher`")
    parser.add_argument("--tool", required=True, help="the program `dispatching`")
    parser.add_argument("--folder", type=Path, required=True, help="takes Kafka's data for a while, and the results")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="fail if an expectation is not met")
    arguments = parser.parse_args()
    if arguments.records % BATCH:
        parser.error(f"--records: expected a multiple of {BATCH}, so that no batch waits for its window")
    # Ended from outside, it still stops the broker and removes what was written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))

    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, medians of {arguments.repeat}")
        with broker(arguments.tool, arguments.folder) as at:
            print(json.dumps(at.fill(arguments.records)), flush=True)
            print(heading())
            found = beside_others(at, arguments, scratch)
            for figures in found:
                print(figures.line(), flush=True)
            print()
            late = list(latencies(at, arguments.dispatcher, scratch))
            for each in late:
                print(json.dumps(each), flush=True)
        with broker(arguments.tool, arguments.folder, joins_at_once=True) as at:
            at.fill(arguments.records)
            print(f"\n{heading()}")
            for figures in by_instances(at, arguments, scratch):
                print(figures.line(), flush=True)

    judged = list(verdicts(found))
    (arguments.folder / "dispatching.json").write_text("\n".join(map(json.dumps, judged + late)) + "\n")
    print()
    for each in judged:
        print(json.dumps(each))
    if arguments.check and not all(each["ok"] for each in judged):
        sys.exit("not all expectations are met")


if __name__ == "__main__":
    main()
