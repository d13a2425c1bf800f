#!/usr/bin/env bash
# Builds the images, with labels that come from the commit alone, and an inventory beside each.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
registry='' tag='' push=false images=()

usage() {
  cat <<'TEXT'
usage: deploy/images/build.sh [--registry REGISTRY/] [--tag TAG] [--push] [IMAGE…]

  IMAGE       dispatcher, light-worker, spark-launcher, event-ingest (all of them), spark
  --registry  what goes before the names, such as registry.example/ingest/
  --tag       the version in Cargo.toml if not given
  --push      into the registry; otherwise into the local Docker

Images are called event-ingest-dispatcher, event-ingest-light-worker, event-ingest-spark-launcher, event-ingest and
event-ingest-spark. Docker with buildx is needed.
TEXT
}

while [ $# -gt 0 ]; do
  case $1 in
    --registry) registry=$2 && shift ;;
    --tag) tag=$2 && shift ;;
    --push) push=true ;;
    -h | --help) usage && exit ;;
    -*) usage >&2 && exit 2 ;;
    *) images+=("$1") ;;
  esac
  shift
done
[ "${#images[@]}" -gt 0 ] || images=(dispatcher light-worker spark-launcher event-ingest spark)

cd "$repo"
version=$(awk -F '"' '/^\[workspace.package\]/ {here = 1} here && $1 == "version = " {print $2; exit}' Cargo.toml)
revision=$(git rev-parse HEAD)
[ -z "$(git status --porcelain)" ] || revision=$revision-modified
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)

if "$push"; then
  # Times of files and layers are the commit's too, and the inventories go along.
  output=(--output "type=image,push=true,rewrite-timestamp=true" --sbom=true --provenance=mode=max)
else
  # The local Docker keeps neither.
  output=(--load --provenance=false)
fi

# Which images to build on, if others than the Dockerfile's: a release names them by digest.
bases=()
for base in RUST_IMAGE BASE_IMAGE; do [ -z "${!base:-}" ] || bases+=(--build-arg "$base=${!base}"); done

for image in "${images[@]}"; do
  name=event-ingest-$image
  what=(--target "$image" --file "$here/Dockerfile" .)
  case $image in
    event-ingest) name=event-ingest ;;
    # Its Dockerfile is there for itself, without labels.
    spark)
      label=org.opencontainers.image
      what=(--label "$label.version=$version" --label "$label.revision=$revision" --label "$label.created=$created" spark)
      ;;
  esac
  docker buildx build "${output[@]}" --tag "$registry$name:${tag:-$version}" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "CREATED=$created" \
    --build-arg "SOURCE=${SOURCE_URL:-unknown}" --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" \
    "${bases[@]}" "${what[@]}"
done
