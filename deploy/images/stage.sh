#!/usr/bin/env bash
# Puts the files of one image into a folder: called by the Dockerfile and by assemble.sh, so that both have the same.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)

if [ $# != 4 ]; then
  cat >&2 <<'TEXT'
usage: deploy/images/stage.sh IMAGE PROGRAMS INVENTORIES ROOT

  IMAGE        dispatcher, light-worker, spark-launcher or event-ingest
  PROGRAMS     the folder of the programs
  INVENTORIES  the folder that sbom.sh and licences.sh filled
  ROOT         where the image's root begins; what is there stays

With SOURCE_DATE_EPOCH every file bears that time.
TEXT
  exit 2
fi
image=$1 programs=$2 inventories=$3 root=$4

case $image in
  dispatcher | light-worker | spark-launcher | event-ingest) ;;
  *)
    printf 'error: no image is called %s\n' "$image" >&2
    exit 2
    ;;
esac

while read -r images mode from to; do
  case $images in
    '' | '#'*) continue ;;
    all) ;;
    *) [[ ",$images," == *",$image,"* ]] || continue ;;
  esac
  from=${from//@image@/$image} to=${to//@image@/$image}
  case $from in
    bin/*) from=$programs/${from#bin/} ;;
    sbom/*) from=$inventories/${from#sbom/} ;;
    *) from=$repo/$from ;;
  esac
  if [ ! -f "$from" ]; then
    printf 'error: %s is missing, which %s needs\n' "$from" "$image" >&2
    exit 1
  fi
  install -D -m "$mode" "$from" "$root$to"
  [ -z "${SOURCE_DATE_EPOCH:-}" ] || touch -h -d "@$SOURCE_DATE_EPOCH" "$root$to"
done <"$here/files.list"
