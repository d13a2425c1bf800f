#!/usr/bin/env bash
# A real Prometheus on the loopback interface, and promtool, for the tests of dashboards and alerts.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/serve.sh"

title="Prometheus" what=prometheus

usage() {
  cat <<'TEXT'
usage: scripts/prometheus.sh install
       scripts/prometheus.sh run --dir DIR [--port 9090] [--until-stdin-closes]
       scripts/prometheus.sh promtool ARGUMENT…

  install   fetches Debian's Prometheus where there is none; does nothing when it is there
  run       starts it with DIR/prometheus.yml and stays until Ctrl-C or SIGTERM
    --until-stdin-closes  stops, at once, when standard input ends: a test's server never outlives the test
  promtool  checks and tests rules
TEXT
}

home=$(prometheus_home)

# Unpacked, not installed: as a package it would start a service at once.
fill() {
  mkdir "$1/work" "$1/bin"
  if have prometheus && have promtool; then
    cp "$(command -v prometheus)" "$(command -v promtool)" "$1/bin/"
  else
    say "prometheus: fetching it (19 MB)"
    (cd "$1/work" && apt-get -qq -o APT::Sandbox::User=root download prometheus && dpkg -x prometheus_*.deb .) >&2 ||
      die "Prometheus could not be fetched: apt-get needs a Debian mirror; any prometheus and promtool on the PATH will do"
    cp "$1"/work/usr/bin/{prometheus,promtool} "$1/bin/"
  fi
  rm -rf "$1/work"
}

run() {
  port=9090
  server_options "$@"
  [ -d "$home" ] || die "Prometheus is not installed: run 'make setup'"
  [ -f "$dir/prometheus.yml" ] || die "--dir names no folder with a prometheus.yml"
  port_is_free
  server_dir
  serve "$home/bin/prometheus" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
    --web.listen-address="127.0.0.1:$port" --log.level=warn
  say "$title is ready: http://127.0.0.1:$port (log: $log)"
  until_it_ends
}

case ${1:-} in
  install) install_once "$home" fill ;;
  run) shift; run "$@" ;;
  promtool) shift; exec "$home/bin/promtool" "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
