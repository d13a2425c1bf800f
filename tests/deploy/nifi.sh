#!/usr/bin/env bash
# The MiNiFi flow fits what MiNiFi says of its processors, and the check sees what would lose files.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

flow=$repo/deploy/nifi/minifi.yml
check() { "$repo/scripts/python.sh" "$repo/deploy/nifi/check.py" "$1" "$repo/deploy/nifi/processors.json"; }

"$repo/scripts/setup.sh" python
say "nifi: $flow"
check "$flow" >&2 || die "it does not fit"
checked=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# notices WHAT SCRIPT TEXT: after this change of the flow the check says this.
notices() {
  sed "$2" "$flow" >"$work/flow.yml"
  ! cmp -s "$flow" "$work/flow.yml" || die "nothing was changed to see: $1"
  if check "$work/flow.yml" >"$work/out"; then die "not noticed: $1"; fi
  grep -qF "$3" "$work/out" || die "$1: expected '$3', it says: $(cat "$work/out")"
  checked=$((checked + 1))
}
notices "a property that does not exist" 's/Topic Names:/Topics:/' "has no property 'Topics'"
notices "a value that is not allowed" 's/Always Replace/Replace Always/' "'Replace Always' is none of"
notices "reading from the latest record" 's/Offset Reset: earliest/Offset Reset: latest/' "from its earliest record"
notices "a misspelt function" 's/escapeJson/escapeJSON/' "no function is called 'escapeJSON'"
notices "a failure that leads nowhere" 's/\[split\]/[]/; s/names: \[failure\]/names: []/' "'failure' leads nowhere"
notices "a request that is no JSON" "s/Footer File: .*/Footer File: ']'/" "is no JSON"
notices "another field than the contract's" 's/"files":\[/"paths":[/' "is no IngestRequest"
notices "an acknowledgement that is not waited for" "s/Delivery Guarantee: all/Delivery Guarantee: '1'/" "is not waited for"
notices "a queue without bound" '/max work queue size/d' "max work queue size is missing"
say "nifi: $checked passed, 0 failed"
