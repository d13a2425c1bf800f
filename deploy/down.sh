#!/usr/bin/env bash
# Takes the platform down, in reverse order. Data, definitions (CRDs) and shared Gateways stay unless asked for.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$deploy/plan.sh"

usage() {
  cat <<'TEXT'
usage: deploy/down.sh [--dry-run] [--only COMPONENT] [--delete-data] [--delete-crds] [--delete-gateways]

  --dry-run          prints the plan; changes nothing
  --only COMPONENT   that one alone
  --delete-data      also the Kafka cluster with its volumes, and topics: what waits in them is lost
  --delete-crds      also the definitions, and with them every object of their kinds, whoever made it
  --delete-gateways  also the Gateways and their namespace's routes

Each step may be repeated.
TEXT
}

dry=false only='' options=()
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry=true ;;
    --only)
      only=${2:?--only wants a component}
      known "$only"
      shift
      ;;
    --delete-data | --delete-crds | --delete-gateways) options+=("$1") ;;
    -h | --help)
      usage
      exit
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift
done

say "plan:"
steps=()
for ((i = ${#order[@]} - 1; i >= 0; i--)); do
  name=${order[i]}
  if [ -z "$only" ] || [ "$name" = "$only" ]; then
    there=$(installed "$name" || true)
    say "  $(printf '%-8s %-15s' remove "$name")${there:-(no release)}"
    steps+=("$name")
  fi
done
! $dry || exit 0

for name in "${steps[@]}"; do
  say "== $name"
  if [ "$name" = ceph ]; then
    # Buckets hold what people have: they go only by that script's own --with-data.
    "$(scripts_of ceph)/destroy.sh" || die "ceph failed; run it again when it is mended"
    continue
  fi
  "$(scripts_of "$name")/destroy.sh" "${options[@]}" || die "$name failed; run it again when it is mended"
done
