#!/usr/bin/env bash
# Gives the catalog the keys of the object store, and waits until it answers.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

"$here/../../ceph/scripts/credentials.sh" lake
kubectl wait --namespace lake deployment/iceberg-rest --for=condition=Available --timeout "${WAIT_TIMEOUT:-300}s"
