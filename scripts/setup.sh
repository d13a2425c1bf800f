#!/usr/bin/env bash
# Installs what a make target needs and is not there yet. Run again, it does nothing and says nothing.
#
#   scripts/setup.sh PART…    build         Rust's toolchain, a C compiler and what the C libraries are built with
#                             python        a virtual environment with the independent readers and S3 clients
#                             kafka         Java and the jars of Apache Kafka
#                             rest-catalog  a Java compiler and the Iceberg project's REST catalog server
#                             postgres      PostgreSQL's server
#                             prometheus    Prometheus and promtool, unpacked from its package
#                             camel         a Java compiler and the Camel route that the dispatcher is measured beside
#                             minio         Go and the MinIO server, built from its module
#                             kube          Go, the API server of Kubernetes, built from its module, and etcd
#                             deploy        Go, and helm, kubectl, kubeconform, shfmt and shellcheck
#                             spark         Apache Spark with Iceberg, and DuckDB with its Iceberg extension
#                             old-iceberg   a Java compiler and an older release of Iceberg; after spark
#                             browser       Chromium, and what drives it and the admin API's fuzzer
#                             data          tables of real data
#                             duckdb-s3     DuckDB with its S3 extension, to be measured
#                             lint          cargo-deny
#
# As root on Debian and Ubuntu missing system packages are installed; elsewhere they are named.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

uv_version=0.13.9

missing=()  # what a person has to get
packages=() # what apt-get can get

# need PACKAGE WHAT CHECK…: runs the check, and notes the package when it fails.
need() {
  local package=$1 what=$2
  shift 2
  "$@" >/dev/null 2>&1 && return
  missing+=("$what (Debian, Ubuntu: $package)")
  case " ${packages[*]} " in *" $package "*) ;; *) packages+=("$package") ;; esac
}

has_apt() { [ "$(id -u)" = 0 ] && have apt-get; }

java_is_recent() {
  local version
  version=$("${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ]
}

jdk_is_recent() {
  local version
  version=$("${JAVA_HOME:+$JAVA_HOME/bin/}javac" -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ]
}

# go_is_recent MINOR: what the modules that are built ask for.
go_is_recent() {
  local version
  version=$(GOTOOLCHAIN=local go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge "$1" ]
}

# offered PACKAGE: could apt-get install it? A package that others only name has no candidate.
offered() { [[ $(LC_ALL=C apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

# Unpacked from their packages: see scripts/kube.sh and scripts/prometheus.sh.
etcd_is_there() { have etcd || offered etcd-server; }
prometheus_is_there() { [ -d "$(prometheus_home)" ] || { have prometheus && have promtool; } || offered prometheus; }

# java_package KIND: the oldest Java that Kafka runs on and this system offers, as jre or jdk. While the system does not
# say (it has no apt, or no package lists yet), the one that most releases have.
java_package() {
  local version found=21
  for version in 17 21 25; do
    if offered "openjdk-$version-$1-headless"; then
      found=$version
      break
    fi
  done
  printf 'openjdk-%s-%s-headless\n' "$found" "$1"
}

# Python 3.11 or newer that can make virtual environments.
find_python() {
  local name
  for name in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

check_system() {
  local part
  missing=() packages=()
  for part in "$@"; do
    case $part in
      build)
        need build-essential "a C compiler" have cc
        need build-essential "a C++ compiler" have c++
        need build-essential "make" have make
        need cmake "CMake" have cmake
        need pkg-config "pkg-config" have pkg-config
        need perl "perl with its standard modules" perl -MFindBin -MIPC::Cmd -e 1
        ;;
      python | duckdb-s3) need python3-venv "Python 3.11 or newer with venv" find_python ;;
      kafka)
        need "$(java_package jre)" "Java 17 or newer" java_is_recent
        need maven "Maven" have mvn
        ;;
      rest-catalog | camel | old-iceberg)
        need "$(java_package jdk)" "a Java 17 development kit or newer" jdk_is_recent
        need maven "Maven" have mvn
        ;;
      prometheus) need prometheus "Prometheus" prometheus_is_there ;;
      postgres) need postgresql "PostgreSQL's server" postgres_bin ;;
      spark)
        need python3-venv "Python 3.11 or newer with venv" find_python
        need "$(java_package jre)" "Java 17 or newer" java_is_recent
        need maven "Maven" have mvn
        ;;
      # The release that Debian 12 has is too old: then there is one among its backports, or from Go's own site.
      minio) need golang "Go 1.24 or newer" go_is_recent 24 ;;
      kube)
        need golang "Go 1.24 or newer" go_is_recent 24
        need etcd-server "etcd" etcd_is_there
        need util-linux "setpriv" have setpriv
        need openssl "openssl" have openssl
        need curl "curl" have curl
        ;;
      deploy)
        need golang "Go 1.26 or newer" go_is_recent 26
        need shellcheck "shellcheck" have shellcheck
        need jq "jq" have jq
        need curl "curl" have curl
        ;;
      browser)
        need chromium "Chromium" find_chromium
        need python3-venv "Python 3.11 or newer with venv" find_python
        need npm "npm" have npm
        ;;
      data)
        need python3-venv "Python 3.11 or newer with venv" find_python
        need npm "npm" have npm
        ;;
    esac
  done
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::http::Timeout=60 \
    -o Acquire::Retries=2 "$@"
}

# without_database COMMAND…: Debian would make a database and start it. While this subshell lives, a file of its own says
# not to. (Its errors are checked one by one: the caller asks whether it succeeds, and that turns `set -e` off.)
without_database() (
  folder=/etc/postgresql-common/createcluster.d
  mkdir -p "$folder" || exit
  file=$(mktemp "$folder/event-ingest-XXXXXX.conf") || exit
  trap 'rm -f "$file"' EXIT
  printf 'create_main_cluster = false\n' >"$file" || exit
  "$@"
)

install_packages() {
  local log run=()
  # The lists alone may have been what was missing.
  [ "${#packages[@]}" -gt 0 ] || return 0
  say "setup: installing ${packages[*]}"
  case " ${packages[*]} " in *" postgresql "*) run=(without_database) ;; esac
  log=$(mktemp)
  if ! "${run[@]}" apt install -y --no-install-recommends "${packages[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    rm "$log"
    die "apt-get could not install: ${packages[*]}"
  fi
  rm "$log"
}

system_packages() {
  check_system "$@"
  if [ "${#missing[@]}" -gt 0 ] && has_apt; then
    apt update >/dev/null 2>&1 || say "setup: apt-get update failed, trying with the lists that are there"
    # Only with its lists does the system say which Java it offers.
    check_system "$@"
    install_packages
    check_system "$@"
  fi
  [ "${#missing[@]}" = 0 ] || die "missing on this machine: $(printf '\n  - %s' "${missing[@]}")"
}

rust() {
  have cargo || die "Rust is missing: install rustup from https://rustup.rs (or your system's package rustup)"
  local wanted found
  wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$repo/rust-toolchain.toml")
  found=$(cd "$repo" && rustc --version | cut -d' ' -f2)
  [ "$found" = "$wanted" ] ||
    die "Rust $wanted is needed, rustc is $found: with rustup it is installed by 'rustup toolchain install $wanted'"
}

# fetch_uv PYTHON DIR: uv installs in seconds what takes pip minutes; only what it installed stays.
fetch_uv() {
  "$1" -m venv "$2"
  "$2/bin/python" -m pip install -q --disable-pip-version-check "uv==$uv_version" >&2 ||
    die "uv could not be installed: pip needs the Python package index, or a mirror named by PIP_INDEX_URL"
  export UV_PYTHON_DOWNLOADS=never
  [ -z "${PIP_INDEX_URL:-}" ] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}
}

fill_venv() {
  local python work=$1/uv
  python=$(find_python)
  say "setup: installing the Python readers"
  fetch_uv "$python" "$work"
  "$work/bin/uv" venv -q --relocatable --allow-existing --python "$python" "$1"
  "$work/bin/uv" pip install -q --python "$1/bin/python" -r "$repo/scripts/python/requirements.txt" >&2 ||
    die "the Python readers could not be installed: uv needs the package index, or a mirror named by UV_DEFAULT_INDEX"
  rm -rf "$work"
}

fill_spark() {
  local python work=$1/uv
  python=$(find_python)
  say "setup: installing Spark (1 GB)"
  fetch_uv "$python" "$work"
  "$work/bin/uv" venv -q --relocatable --allow-existing --python "$python" "$1"
  "$work/bin/uv" pip install -q --python "$1/bin/python" -r "$repo/scripts/spark/requirements.txt" >&2 ||
    die "Spark could not be installed: uv needs the package index, or a mirror named by UV_DEFAULT_INDEX"
  rm -rf "$work"
  maven_jars "$repo/scripts/spark/pom.xml" "$1" jars "Spark's jars"
}

# A DuckDB beside the other: the S3 extension that the package index has belongs to an older one.
fill_duckdb_s3() {
  local work=$1/uv
  say "setup: installing DuckDB with its S3 extension"
  fetch_uv "$(find_python)" "$work"
  "$work/bin/uv" pip install -q --python "$(python_home)/bin/python" --target "$1/packages" \
    -r "$repo/bench/peers/duckdb-s3.txt" >&2 ||
    die "DuckDB with S3 could not be installed: uv needs the package index, or a mirror named by UV_DEFAULT_INDEX"
  rm -rf "$work"
}

axe_sha256=e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745

fill_browser() {
  local work=$1/uv
  say "setup: installing what drives the browser"
  fetch_uv "$(find_python)" "$work"
  "$work/bin/uv" venv -q --relocatable --allow-existing --python "$(find_python)" "$1"
  "$work/bin/uv" pip install -q --python "$1/bin/python" -r "$repo/scripts/browser/requirements.txt" >&2 ||
    die "what drives the browser could not be installed: uv needs the package index, or a mirror named by UV_DEFAULT_INDEX"
  rm -rf "$work"
  # The rules of accessibility that pages are held against.
  (cd "$1" && npm pack --silent "axe-core@$axe_version" >npm.log 2>&1) ||
    die "npm could not fetch axe-core: it needs the npm registry, or a mirror: npm config set registry URL"
  printf '%s  %s\n' "$axe_sha256" "$1/axe-core-$axe_version.tgz" | sha256sum --check --quiet >&2 ||
    die "axe-core is not what it was: its checksum differs"
  tar -xzf "$1/axe-core-$axe_version.tgz" -C "$1" --strip-components=1 --no-same-owner package/axe.min.js
  rm "$1/axe-core-$axe_version.tgz" "$1/npm.log"
}

fill_cargo_deny() {
  say "setup: building cargo-deny"
  # Unoptimised: it runs for seconds, and this is built twice as fast.
  export CARGO_TARGET_DIR=$1/target CARGO_PROFILE_DEV_DEBUG=false
  (cd "$repo" && cargo install -q --locked --debug --root "$1" "cargo-deny@$cargo_deny_version") >&2 ||
    die "cargo-deny could not be built: it needs crates.io"
  rm -rf "$1/target"
}

[ $# -gt 0 ] || die "name what to set up: build, python, kafka, rest-catalog, camel, postgres, prometheus, minio, kube, deploy, spark, old-iceberg, browser, data, duckdb-s3, lint"
for part in "$@"; do
  case $part in
    build | python | kafka | rest-catalog | camel | postgres | prometheus | minio | kube | deploy | spark | old-iceberg | browser | data | duckdb-s3 | lint) ;;
    *) die "unknown part '$part'" ;;
  esac
done
system_packages "$@"
for part in "$@"; do
  case $part in
    build) rust ;;
    python) install_once "$(python_home)" fill_venv ;;
    kafka) "$repo/scripts/kafka.sh" install ;;
    rest-catalog) "$repo/scripts/rest-catalog.sh" install ;;
    camel) "$repo/scripts/camel.sh" install ;;
    prometheus) "$repo/scripts/prometheus.sh" install ;;
    minio) "$repo/scripts/minio.sh" install ;;
    kube) "$repo/scripts/kube.sh" install ;;
    deploy) "$repo/scripts/deploy-tools.sh" install ;;
    spark) install_once "$(spark_home)" fill_spark ;;
    old-iceberg) "$repo/scripts/old-iceberg.sh" install ;;
    browser) install_once "$(browser_home)" fill_browser ;;
    data) install_once "$(python_home)" fill_venv; "$repo/scripts/data.sh" install ;;
    duckdb-s3) install_once "$(python_home)" fill_venv; install_once "$(duckdb_s3_home)" fill_duckdb_s3 ;;
    lint) install_once "$(cargo_deny_home)" fill_cargo_deny ;;
  esac
done
