#!/usr/bin/env bash
# More than 500 MB of Parquet go through Kafka, dispatcher, launcher, Spark and publisher into an Iceberg table:
# scripts/demo-heavy.sh PROGRAMS [--files N]; PROGRAMS is the folder of the programs.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -gt 0 ] || die "usage: scripts/demo-heavy.sh PROGRAMS [--files N]"
programs=$1
shift
cd "$repo"
scripts/setup.sh python kafka spark
exec scripts/python.sh scripts/python/demo_heavy.py --programs "$programs" \
  --summary "$CARGO_TARGET_DIR/demo-heavy-summary.json" "$@"
