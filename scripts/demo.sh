#!/usr/bin/env bash
# Real Parquet files go from a bucket into an Iceberg table: scripts/demo.sh [--stay] [--keep], after `make build`.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$repo"
scripts/setup.sh python
exec scripts/python.sh scripts/python/demo.py --program "$CARGO_TARGET_DIR/debug/event-ingest" \
  --summary "$CARGO_TARGET_DIR/demo-summary.json" ${KEEP:+--keep} "$@"
