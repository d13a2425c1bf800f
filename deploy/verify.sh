#!/usr/bin/env bash
# Says of each line of a phase's checklist whether it holds: `pass`, `FAIL` with what was seen, or `off` where the
# component is not enabled. Fails if any line fails.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$deploy/verify/lib.sh"

usage() {
  cat <<'TEXT'
usage: deploy/verify.sh phase1|phase2|phase3

Looks at the cluster of the current context, and tries it: requests to the demos, messages into Kafka, objects into the
bucket (keys incoming/verify-…). Needs kubectl and curl, for phase 2 also the AWS command line and Python 3. deploy/demo has to be
applied; a line whose object nothing else makes names the command that does. VERIFY_WAIT is how many seconds it waits for what takes time (default 180).
TEXT
}

case ${1:-} in
  phase1 | phase2 | phase3)
    . "$deploy/verify/$1.sh"
    "$1"
    ;;
  -h | --help)
    usage
    exit
    ;;
  *)
    usage >&2
    exit 2
    ;;
esac

say "$1: $passed passed, $failed failed, $off off"
[ "$failed" = 0 ]
