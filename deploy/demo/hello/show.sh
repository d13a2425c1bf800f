#!/usr/bin/env bash
# Ten requests through the gateway: about two answer "Hello Knative v2!". GATEWAY is its address as seen from here; without it
# a port is forwarded.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

gateway
host=$(kubectl get ksvc hello --namespace default -o jsonpath='{.status.url}')
for _ in $(seq 10); do
  curl --silent --show-error --fail --max-time 60 --header "Host: ${host#*://}" "$GATEWAY/"
done
