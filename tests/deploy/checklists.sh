#!/usr/bin/env bash
# Each line of the checklists fails on its own, and all hold in a whole cluster: harness/checklists.py.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

with_api python "$harness/checklists.py" "$@"
