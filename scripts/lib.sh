# Shared by the scripts of this folder: `. "$(dirname "$0")/lib.sh"`. Sourced, never run.
# shellcheck shell=bash

set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Tools and build artefacts live outside the clone: several clones share them, and a fresh one is quick.
# A tool's folder is named by a hash of what defines it, so that a changed definition is installed anew.
cache=${EVENT_INGEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/event-ingest}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# tool_dir NAME FILE…: the folder of a tool that is defined by these files.
tool_dir() {
  local name=$1
  shift
  printf '%s/%s-%s\n' "$cache" "$name" "$(cat "$@" | sha256sum | cut -c1-16)"
}

# install_once DIR FUNCTION: calls `FUNCTION NEW_DIR` unless DIR is there. DIR appears whole or not at all, and two
# who install at once wait for one another.
install_once() {
  local dir=$1 fill=$2
  [ -d "$dir" ] && return
  mkdir -p "$cache"
  (
    flock --wait 900 9 || die "$dir.lock is held for 15 minutes: is another set-up hanging?"
    [ -d "$dir" ] && exit
    new=$(mktemp -d "$dir.new-XXXXXX")
    trap 'rm -rf "$new"' EXIT
    chmod 755 "$new"
    "$fill" "$new"
    mv -T "$new" "$dir"
  ) 9>"$dir.lock"
}

# maven_jars POM NEW_DIR FOLDER WHAT: fetches the jars that the pom names into a folder of a new installation.
maven_jars() {
  timeout 900 mvn -q -B -f "$1" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$2/$3" \
    -Dmaven.wagon.http.retryHandler.count=3 -Dmaven.wagon.rto=60000 >"$2/maven.log" 2>&1 && return
  cat "$2/maven.log" >&2
  die "Maven could not fetch $4: it needs Maven Central, or a mirror named in ~/.m2/settings.xml"
}

cargo_deny_version=0.20.2
cargo_deny_home() { printf '%s/cargo-deny-%s\n' "$cache" "$cargo_deny_version"; }
minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
minio_home() { printf '%s/minio-%s\n' "$cache" "$minio_version"; }
# Debian says which release it is.
prometheus_home() { printf '%s/prometheus\n' "$cache"; }
kube_home() { tool_dir kube "$repo/scripts/kube/go.mod" "$repo/scripts/kube/go.sum"; }
deploy_tools_home() {
  tool_dir deploy-tools "$repo/scripts/deploy-tools/go.mod" "$repo/scripts/deploy-tools/go.sum" \
    "$repo/scripts/deploy-tools/kubectl/main.go"
}
duckdb_s3_home() { tool_dir duckdb-s3 "$repo/bench/peers/duckdb-s3.txt"; }
spark_home() { tool_dir spark "$repo/scripts/spark/requirements.txt" "$repo/scripts/spark/pom.xml"; }
axe_version=4.14.1
browser_home() { tool_dir "browser-axe-$axe_version" "$repo/scripts/browser/requirements.txt"; }
python_home() { tool_dir python "$repo/scripts/python/requirements.txt"; }

# listening PORT: is anything listening on this loopback port?
listening() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# find_chromium: the browser that pages are tested in.
find_chromium() { command -v "${CHROMIUM:-chromium}" || command -v chromium-browser || command -v google-chrome; }

# postgres_bin: the folder of PostgreSQL's programs: on the PATH, or where Debian puts them, the newest.
postgres_bin() {
  local bin
  if have initdb && have postgres; then
    dirname "$(command -v initdb)"
    return
  fi
  bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  [ -x "$bin/initdb" ] && printf '%s\n' "$bin"
}

# spark_environment: what PySpark wants to find, and nothing of another Spark of this machine.
spark_environment() {
  local java
  java=$(command -v "${JAVA_HOME:+$JAVA_HOME/bin/}java") || die "Java is missing"
  # PySpark takes Java from JAVA_HOME; what lies on the path is enough for it only where that is no link.
  JAVA_HOME=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$java")")")}
  export JAVA_HOME SPARK_LOCAL_IP=127.0.0.1
  unset SPARK_HOME SPARK_CONF_DIR
  # Functions that Spark calls run in the same environment.
  export PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON
  PYSPARK_PYTHON=$(spark_home)/bin/python PYSPARK_DRIVER_PYTHON=$PYSPARK_PYTHON
}
