"""Reads what `event-ingest files show --json` said of one object (the last line of standard input), and says it in words.

Exit status: 0 if its rows are in the table, 1 if they are not yet, 2 if it was set aside.
"""

import json
import sys


def main(text: str) -> int:
    """Status."""
    found = json.loads(text.strip().splitlines()[-1])
    if found["ingested"]:
        entry = found["ingested"][0]
        print(f"{entry['rows']} rows, in snapshot {entry['snapshot_id']}")
        return 0
    if found["quarantined"]:
        print(f"set aside: {found['quarantined'][0]['reason']}")
        return 2
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.stdin.read()))
