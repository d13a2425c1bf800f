#!/usr/bin/env bash
# Takes away topic and notifications. Buckets with what is in them, and their user, stay, unless --with-data is given.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
manifests=$deploy/ceph/manifests

files=(notifications topic)
case ${1:-} in
  '') ;;
  --with-data) files+=(buckets user) ;;
  *)
    printf 'usage: destroy.sh [--with-data]\n' >&2
    exit 2
    ;;
esac
for file in "${files[@]}"; do remove "$manifests/$file.yaml"; done
