#!/usr/bin/env bash
# Definitions, the cluster, and a message there and back through a topic of its own.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../../lib.sh"
. "$deploy/verify/lib.sh"
. "$deploy/verify/phase2.sh"

for kind in kafkas kafkanodepools kafkatopics kafkausers; do
  line "definition $kind" has_kind "$kind.kafka.strimzi.io"
done
line "Strimzi runs" strimzi_runs
line "broker's PVC bound to the class" volume_bound

there_and_back() {
  in_broker bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --topic "$token" --partitions 1 >/dev/null || return
  produce "$token" <<<"hello $token" && arrived "$token" "hello $token"
  local outcome=$?
  in_broker bin/kafka-topics.sh --bootstrap-server localhost:9092 --delete --topic "$token" >/dev/null
  return "$outcome"
}
line "a message is produced and consumed" there_and_back
[ "$failed" = 0 ]
