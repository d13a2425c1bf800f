#!/usr/bin/env bash
# One MinIO server on the loopback interface: an S3 that is not our own, for measurements and tests. Its licence is the
# AGPL: it is built and run here, never shipped.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/serve.sh"

title=MinIO what=minio

# Whoever reaches the port needs them. They guard nothing but test data.
user=event-ingest password=for-tests-alone

usage() {
  cat <<TEXT
usage: scripts/minio.sh install
       scripts/minio.sh run [--port 9000] [--dir DIR] [--until-stdin-closes]

  install  builds the server from its Go module (some minutes); does nothing when it is there
  run      starts it and stays until Ctrl-C or SIGTERM: access key $user, secret key $password, region us-east-1
    --dir DIR             keeps the objects there; without it they are deleted at the end
    --until-stdin-closes  stops, at once, when standard input ends: a test's server never outlives the test
TEXT
}

home=$(minio_home)

build() {
  say "minio: building the server (some minutes)"
  # Everything in the new folder: a build leaves 2 GB of modules and objects behind that nothing else wants.
  export GOBIN=$1/bin GOCACHE=$1/work/cache GOMODCACHE=$1/work/modules GOTMPDIR=$1/work/tmp
  export GOTOOLCHAIN=local GOFLAGS=-modcacherw CGO_ENABLED=0
  mkdir -p "$GOTMPDIR"
  cd "$1/work"
  go install -trimpath -ldflags '-s -w' "github.com/minio/minio@$minio_version" >"$1/build.log" 2>&1 || {
    tail -n 20 "$1/build.log" >&2
    die "MinIO could not be built: Go needs a module proxy (GOPROXY)"
  }
  cd "$repo"
  rm -rf "$1/work" "$1/build.log"
}

run() {
  port=9000
  server_options "$@"
  [ -d "$home" ] || die "MinIO is not installed: run 'scripts/setup.sh minio'"
  port_is_free
  server_dir
  mkdir -p "$dir/objects"
  # No console, no look for updates, no scan of the disk beside a measurement.
  export MINIO_ROOT_USER=$user MINIO_ROOT_PASSWORD=$password MINIO_REGION=us-east-1
  export MINIO_BROWSER=off MINIO_UPDATE=off MINIO_SCANNER_SPEED=slowest
  serve "$home/bin/minio" server --quiet --address "127.0.0.1:$port" "$dir/objects"
  say "$title is ready: http://127.0.0.1:$port (access key $user, secret key $password; log: $log)"
  until_it_ends
}

case ${1:-} in
  install) install_once "$home" build ;;
  run) shift; run "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
