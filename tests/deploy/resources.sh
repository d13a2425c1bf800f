#!/usr/bin/env bash
# The platform fits the cluster it is planned for, and deploy/resources.py notices where it does not.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

"$repo/scripts/setup.sh" python
say "resources: $repo/deploy"
"$repo/scripts/python.sh" "$repo/deploy/resources.py" --check >&2 || die "it does not fit"
checked=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# notices WHAT FILE SCRIPT TEXT: after this change of a copy it says this.
notices() {
  rm -rf "$work/copy"
  mkdir -p "$work/copy"
  cp -r "$repo/deploy" "$repo/deployment" "$repo/docs" "$work/copy/"
  sed -i "$3" "$work/copy/$2"
  ! cmp -s "$repo/$2" "$work/copy/$2" || die "nothing was changed to see: $1"
  if "$repo/scripts/python.sh" "$work/copy/deploy/resources.py" --check >/dev/null 2>"$work/out"; then die "not noticed: $1"; fi
  grep -qF "$4" "$work/out" || die "$1: expected '$4', it says: $(cat "$work/out")"
  checked=$((checked + 1))
}
notices "a component that states more than is planned" deploy/platform/strimzi/manifests/kafka-cluster.yaml \
  's/requests: {cpu: 500m, memory: 1Gi}/requests: {cpu: 500m, memory: 3Gi}/' "strimzi: deploy/config.yaml plans"
notices "a phase that does not fit" deploy/config.yaml 's/cpu_millis: 800/cpu_millis: 18000/' "phase 2 requests"
notices "services that grow beyond the nodes" deployment/event-ingest.yaml \
  's|\(autoscaling.knative.dev/max-scale:\) "10"|\1 "200"|' "the nodes have"
say "resources: $checked passed, 0 failed"
