#!/usr/bin/env bash
# Takes away topic and notifications. Buckets with what is in them, and their user, stay, unless --with-data is given.
set -euo pipefail
manifests=$(cd "$(dirname "${BASH_SOURCE[0]}")/../manifests" && pwd)

files=(notifications topic)
case ${1:-} in
  '') ;;
  --with-data) files+=(buckets user) ;;
  *)
    printf 'usage: destroy.sh [--with-data]\n' >&2
    exit 2
    ;;
esac
for file in "${files[@]}"; do
  kubectl delete --ignore-not-found --wait=false -f "$manifests/$file.yaml"
done
