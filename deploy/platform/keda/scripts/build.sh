#!/usr/bin/env bash
# KEDA, which scales the dispatcher by its lag.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component keda

install
wait_deployments "$namespace"
