#!/usr/bin/env bash
# Checks the dependency tree against deny.toml: scripts/deny.sh CHECK… (advisories, bans, licenses, sources).
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$repo"
offline=--offline
for check in "$@"; do
  # The list of known vulnerabilities is the one thing that is not on this machine.
  if [ "$check" = advisories ]; then offline=; fi
done
exec "$(cargo_deny_home)/bin/cargo-deny" --log-level error ${offline:+"$offline"} check "$@"
