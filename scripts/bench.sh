#!/usr/bin/env bash
# Measures writing, with what scripts/setup.sh installed: scripts/bench.sh OPTION…, see `scripts/bench.sh --help`.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

real=$("$repo/scripts/data.sh" path)
exec "$repo/scripts/python.sh" "$repo/bench/writing/run.py" --folder "$cache/bench" \
  --real "$real" --duckdb-s3 "$(duckdb_s3_home)/packages" "$@"
