#!/usr/bin/env bash
# Checks what lies below deploy/: every executable file of this folder is a test. With a FILTER those whose name has it;
# with --quick those that start nothing and are done in seconds.
#
#   tests/deploy/run.sh [FILTER|--quick]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

quick=' chart.sh compose.sh manifests.sh nifi.sh rendered.sh resources.sh shell.sh '
filter=${1:-}

ran=0 failed=()
for test in "$here"/*; do
  name=$(basename "$test")
  if [ "$name" = run.sh ] || [ ! -f "$test" ] || [ ! -x "$test" ]; then continue; fi
  case $filter in
    --quick) [[ $quick == *" $name "* ]] || continue ;;
    *) [[ $name == *"$filter"* ]] || continue ;;
  esac
  printf -- '--- %s\n' "$name" >&2
  begun=$SECONDS
  case $name in
    *.py) "$here/../../scripts/python.sh" "$test" || failed+=("$name") ;;
    *) "$test" || failed+=("$name") ;;
  esac
  printf -- '--- %s: %s s\n' "$name" "$((SECONDS - begun))" >&2
  ran=$((ran + 1))
done
[ "$ran" -gt 0 ] || {
  printf 'error: no test is called %s\n' "${1:-anything}" >&2
  exit 2
}
[ "${#failed[@]}" = 0 ] || {
  printf 'error: failed: %s\n' "${failed[*]}" >&2
  exit 1
}
printf 'test-deploy: %s tests passed\n' "$ran" >&2
