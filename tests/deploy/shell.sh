#!/usr/bin/env bash
# Every shell script of the project that belongs to deploy/: shellcheck finds nothing, shfmt changes nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

cd "$repo"
mapfile -t scripts < <(shfmt -f deploy tests/deploy scripts/deploy-tools.sh)
[ "${#scripts[@]}" -ge 20 ] || die "only ${#scripts[@]} scripts were found"
shellcheck -x "${scripts[@]}"
shfmt -d -i 2 -ci "${scripts[@]}"
for script in "${scripts[@]}"; do
  grep -qE 'set -euo pipefail|lib\.sh"?$' "$script" || grep -q '^# shellcheck shell=bash' "$script" ||
    die "$script does not begin with set -euo pipefail"
done
passed "${#scripts[@]} shell scripts"
