#!/usr/bin/env bash
# Fetches the definitions of custom resources that manifests are checked against, from the projects' own repositories at the
# releases that deploy/ installs, and prints the folder, for CRDS_DIR. CRDS_FROM names another root than GitHub's.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

root=${CRDS_FROM:-https://raw.githubusercontent.com}
home=$(tool_dir crds "$repo/scripts/crds.txt" "$repo/scripts/python/split_crds.py" <(printf "%s" "$root"))

fetch() {
  local project repository release path kinds
  while read -r project repository release path kinds; do
    case $project in '' | '#'*) continue ;; esac
    say "crds: $project, $path"
    curl -sSfL --max-time 120 --retry 3 -o "$1/fetched" "$root/$repository/$release/$path" ||
      die "$root/$repository/$release/$path could not be fetched"
    # shellcheck disable=SC2086 # one word a kind
    "$repo/scripts/python.sh" "$repo/scripts/python/split_crds.py" "$1/fetched" "$1/$project" $kinds
  done <"$repo/scripts/crds.txt"
  rm "$1/fetched"
}

install_once "$home" fetch
printf '%s\n' "$home"
