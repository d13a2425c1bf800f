#!/usr/bin/env bash
# Waits for the next event of the PingSource in the log of event-display.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

logs_until event-display 'one more minute' 150
