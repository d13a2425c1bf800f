#!/usr/bin/env bash
# The chart of the data plane: what it sets exists in the programs, times are in order, what would lose events is refused.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

python -m unittest discover --start-directory "$repo/tests/deploy/chart" --quiet
"$repo/deploy/charts/event-ingest/scripts/regenerate-rendered.sh" --check
passed "the chart of the data plane, and deployment/ is what it renders"
