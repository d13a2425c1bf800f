#!/usr/bin/env bash
# Definitions, mTLS, sidecars, policies.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../../lib.sh"
. "$deploy/verify/lib.sh"
. "$deploy/verify/phase3.sh"

for kind in peerauthentications.security authorizationpolicies.security virtualservices.networking telemetries.telemetry; do
  line "definition $kind" has_kind "$kind.istio.io"
done
line "istiod runs" available "$mesh_root" istiod
line "class swapped to istio" class_swapped
line "sidecars injected" sidecars_injected
line "mTLS STRICT" mtls_strict
line "scale from zero under AuthorizationPolicy" zero_under_policy
[ "$failed" = 0 ]
