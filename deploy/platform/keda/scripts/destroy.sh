#!/usr/bin/env bash
# Takes KEDA away; what it scaled stays at the number that it has.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component keda

# Its definitions are templates of its chart. A ScaledObject's finalizer wants the operator: they go first. Those of a KEDA
# that others installed stay.
if is_ours && has_kind scaledobjects.keda.sh; then
  kubectl delete scaledobjects.keda.sh --all --all-namespaces --ignore-not-found --timeout="${wait_seconds}s" >&2
fi
uninstall
