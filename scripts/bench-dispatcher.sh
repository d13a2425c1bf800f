#!/usr/bin/env bash
# Measures dispatching, with what scripts/setup.sh installed: scripts/bench-dispatcher.sh OPTION…, see its --help.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

exec "$repo/scripts/python.sh" "$repo/bench/dispatching/run.py" --folder "$cache/bench" "$@"
