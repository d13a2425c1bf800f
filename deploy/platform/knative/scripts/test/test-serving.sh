#!/usr/bin/env bash
# Serving, with the demo hello of deploy/demo.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../../lib.sh"
. "$deploy/verify/lib.sh"
. "$deploy/verify/phase1.sh"

line "operator runs" available "$(setting components.knative.namespace)" knative-operator operator-webhook
line "Serving pods run" serving_runs
line "HTTPRoutes appear for services" routes_appear
line "hello answers" hello_answers
line "scale to zero after 60 s" scales_to_zero
line "scale from zero" scales_from_zero
[ "$failed" = 0 ]
