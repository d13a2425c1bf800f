#!/usr/bin/env bash
# Eventing, with the Broker and the PingSource of deploy/demo.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../../lib.sh"
. "$deploy/verify/lib.sh"
. "$deploy/verify/phase2.sh"

line "Eventing pods run" eventing_runs
line "Kafka Broker and KafkaSource controllers run" kafka_controllers_run
line "Broker in $demo" holds "$demo" broker default Ready
line "PingSource every minute" pings_every_minute
line "events seen in event-display" display_saw_pings
[ "$failed" = 0 ]
