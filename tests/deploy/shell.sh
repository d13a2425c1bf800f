#!/usr/bin/env bash
# Every shell script of the project that belongs to deploy/: shellcheck finds nothing, shfmt changes nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

cd "$repo" || exit
mapfile -t scripts < <(shfmt -f deploy tests/deploy scripts/deploy-tools.sh)
[ "${#scripts[@]}" -ge 20 ] || die "only ${#scripts[@]} scripts were found"
# Of what is sourced by a name that is made, and of a part that others source, shellcheck cannot know where variables come
# from or go to; `set -u` does.
mapfile -t parts < <(grep -lx '# shellcheck shell=bash' "${scripts[@]}")
mapfile -t programs < <(grep -Lx '# shellcheck shell=bash' "${scripts[@]}")
shellcheck -x -S warning -e SC2154,SC1090 "${programs[@]}"
shellcheck -x -S warning -e SC2154,SC2034 "${parts[@]}"
shfmt -d -i 2 -ci "${scripts[@]}"
# By itself, or by the lib.sh that it begins with.
for script in "${programs[@]}"; do
  grep -qE '^set -euo pipefail$|^\. .*lib\.sh"$' "$script" || die "$script does not begin with set -euo pipefail"
done
passed "${#scripts[@]} shell scripts"
