"""Holds a MiNiFi flow against what MiNiFi's own pages say of its processors: check.py FLOW PROCESSORS.

It sees names and connections, not what an expression gives. Exit code 1, with all that is wrong, a line each.
"""

import json
import re
import sys

import yaml

# What the flow has to lead to: a file that leaves it anywhere else is lost.
SOURCE, LIGHT, HEAVY, LETTERS = "s3-events", "light-ingest", "heavy-ingest", "ingest-dlq"


def kind(processor):
    return processor["class"].rsplit(".", 1)[1]


def property_faults(processor, known, functions):
    """Names and values of one processor's properties."""
    given = processor.get("Properties") or {}
    for name, value in given.items():
        if name not in known["properties"] and not known["dynamic"]:
            yield f"has no property {name!r}"
        allowed = known["properties"].get(name, {}).get("allowed")
        if allowed and value not in allowed:
            yield f"{name}: {value!r} is none of {allowed}"
        if not isinstance(value, str):
            yield f"{name}: {value!r} is no string"
        if "${" in str(value):
            for function in re.findall(r"(?:\$\{|:)(\w+)\(", value):
                if function not in functions:
                    yield f"{name}: no function is called {function!r}"
            if value.count("{") != value.count("}") or value.count("(") != value.count(")"):
                yield f"{name}: brackets do not match in {value!r}"
    for name, about in known["properties"].items():
        if about.get("required") and "default" not in about and name not in given:
            yield f"needs the property {name!r}"


def relationships(processor, known):
    """Where a processor sends things: a route's own names count."""
    own = set(known["relationships"])
    if kind(processor) == "RouteOnAttribute":
        own |= set(processor.get("Properties") or {})
    return own


def faults(flow, processors, functions):
    """Everything that is wrong with a flow."""
    parts = flow["Processors"] + flow["Connections"]
    identities = [part["id"] for part in parts]
    yield from (f"two parts are called {i}" for i in set(identities) if identities.count(i) > 1)
    by_id = {processor["id"]: processor for processor in flow["Processors"]}
    leads = {}
    for connection in flow["Connections"]:
        ends = [connection["source id"], connection["destination id"]]
        if any(end not in by_id for end in ends):
            yield f"{connection['name']}: leads from or to nowhere"
            continue
        for name in connection["source relationship names"]:
            leads.setdefault(ends[0], {}).setdefault(name, []).append(ends[1])
        for bound in ("max work queue size", "max work queue data size"):
            if bound not in connection:
                yield f"{connection['name']}: {bound} is missing"
        if "flowfile expiration" in connection:
            yield f"{connection['name']}: what waits there would be thrown away"
    for processor in flow["Processors"]:
        where = f"{processor['name']} ({kind(processor)})"
        known = processors.get(kind(processor))
        if known is None:
            yield f"{where}: no such processor was looked up"
            continue
        yield from (f"{where}: {fault}" for fault in property_faults(processor, known, functions))
        own = relationships(processor, known)
        connected = set(leads.get(processor["id"], {}))
        ended = set(processor.get("auto-terminated relationships list", []))
        yield from (f"{where}: has no relationship {name!r}" for name in (connected | ended) - own)
        yield from (f"{where}: {name!r} leads nowhere" for name in own - connected - ended)
        yield from (f"{where}: {name!r} is connected and ended" for name in connected & ended)
        # What may be ended: a success of the last step, a whole of which the parts went on, what no rule wants.
        yield from (f"{where}: a {name} must not be thrown away" for name in ended & {"failure", "matched", "merged", "split"})
    yield from path_faults(flow, by_id, leads)


def path_faults(flow, by_id, leads):
    """What a record meets on its way."""
    start = [p for p in flow["Processors"] if (p.get("Properties") or {}).get("Topic Names") == SOURCE]
    if len(start) != 1 or start[0]["Properties"].get("Offset Reset") != "earliest":
        yield f"one processor has to read {SOURCE}, from its earliest record"
        return
    seen, next_ones = set(), [start[0]["id"]]
    while next_ones:
        here = next_ones.pop()
        if here not in seen:
            seen.add(here)
            next_ones += [to for ends in leads.get(here, {}).values() for to in ends]
    yield from (f"{by_id[i]['name']}: nothing leads there" for i in by_id if i not in seen)
    topics = {p["Properties"].get("Topic Name"): p for p in flow["Processors"] if kind(p) == "PublishKafka"}
    if set(topics) != {LIGHT, HEAVY, LETTERS}:
        yield f"it writes to {sorted(topics)}"
    for topic, publisher in topics.items():
        if publisher["Properties"].get("Delivery Guarantee") != "all":
            yield f"{topic}: is not waited for until it is kept"
        if leads.get(publisher["id"], {}).get("failure") != [publisher["id"]]:
            yield f"{topic}: what could not be sent is not sent again"
    for merger in (p for p in flow["Processors"] if kind(p) == "MergeContent"):
        yield from request_faults(merger)


def request_faults(merger):
    """The request that a merger makes of two files."""
    given = merger["Properties"]
    files = ["s3://events-inbox/incoming/a.parquet", 's3://events-inbox/incoming/"b".parquet']
    text = given["Header File"] + given["Demarcator File"].join(map(json.dumps, files)) + given["Footer File"]
    try:
        request = json.loads(text)
    except ValueError as error:
        yield f"{merger['name']}: {text} is no JSON: {error}"
        return
    if request.get("files") != files or not set(request) <= {"files", "table", "format", "options"}:
        yield f"{merger['name']}: {text} is no IngestRequest"
    if int(given["Maximum Number of Entries"]) > 10_000 or not given.get("Max Bin Age"):
        yield f"{merger['name']}: a request has at most 10,000 files, and does not wait for ever"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        flow = yaml.safe_load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        known = json.load(file)
    found = list(faults(flow, known["processors"], known["functions"]))
    for fault in found:
        print(fault)
    if not found:
        print(f"{len(flow['Processors'])} processors and {len(flow['Connections'])} connections fit MiNiFi {known['version']}")
    sys.exit(bool(found))


main()
