#!/usr/bin/env bash
# Sends a message by hand to demo-topic, and waits for it in the log of event-display.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

message="by hand, $(date -u +%FT%TZ)"
pod=$(kubectl get pods --namespace kafka -l strimzi.io/cluster=events-kafka,strimzi.io/broker-role=true \
  -o jsonpath='{.items[0].metadata.name}')
kubectl exec --namespace kafka "$pod" --container kafka --stdin -- \
  bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --topic demo-topic <<<"$message"
logs_until event-display "$message" 120
