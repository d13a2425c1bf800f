#!/usr/bin/env bash
# More than 500 MB of Parquet go through Kafka, dispatcher, launcher, Spark and publisher into an Iceberg table:
# scripts/demo-heavy.sh [--files N], after `make build`.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$repo"
scripts/setup.sh python kafka spark
exec scripts/python.sh scripts/python/demo_heavy.py --programs "$CARGO_TARGET_DIR/debug" \
  --summary "$CARGO_TARGET_DIR/demo-heavy-summary.json" "$@"
