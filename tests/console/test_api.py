"""The admin API, held against its own document by a fuzzer that makes requests from it: right ones and wrong ones."""

import subprocess
import sys
from pathlib import Path

import requests

from conftest import flights

# How much is tried. Each route gets so many requests of each kind; the seed makes a failure come again.
EXAMPLES = 100
SEED = 20_010_101
ENDS_WITHIN = 240  # seconds
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def put(server, key: str, content: bytes) -> dict:
    answer = requests.post(
        f"{server.endpoint['admin_url']}/api/v1/uploads",
        params={"key": key},
        headers={"Authorization": f"Bearer {server.endpoint['admin_token']}", "Content-Type": "application/octet-stream"},
        data=content,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_api_does_what_its_document_says(server) -> None:
    # There is something to find: a file that is in, and one that was set aside.
    for key, content in [("good.parquet", flights(1)), ("broken.parquet", b"no parquet")]:
        put(server, key, content)
    settled = lambda: len(server.activity()["files"]) == 2
    server.wait_for(settled, 60, "the files are not dealt with")

    url = server.endpoint["admin_url"]
    ended = subprocess.run(
        [
            SCHEMATHESIS,
            "--config-file", Path(__file__).with_name("schemathesis.toml"),
            "run", f"{url}/api/v1/openapi.json",
            "--url", url,
            "--header", f"Authorization: Bearer {server.endpoint['admin_token']}",
            "--max-examples", str(EXAMPLES),
            "--seed", str(SEED),
            "--generation-database", "none",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN,
    )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:]
    # It is as alive as before.
    assert requests.get(f"{url}/readyz", timeout=60).status_code == 200
    assert requests.get(f"{url}/api/v1/status", timeout=60).json()["health"] != "broken"
