#!/usr/bin/env bash
# Definitions, the platform, and an Integration that logs what a timer says.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../../lib.sh"
. "$deploy/verify/lib.sh"
. "$deploy/verify/phase2.sh"

apply "$(dirname "${BASH_SOURCE[0]}")/timer-to-log.yaml"
line "Camel K operator runs" available "$camel" camel-k-operator
line "IntegrationPlatform Ready" phase_is "$camel" integrationplatform camel-k Ready
line "Camel K's 7 CRDs" camel_definitions
line "timer → log runs" eventually phase_is "$camel" integration timer-to-log Running
line "the timer is in the log" eventually logged "$camel" camel.apache.org/integration=timer-to-log "tick of timer-to-log"
[ "$failed" = 0 ]
