#!/usr/bin/env bash
# A real browser for the console, and a fuzzer for the admin API behind it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/browser.sh install
       scripts/browser.sh test [PYTEST-ARGUMENT…]
       scripts/browser.sh pictures

  install   the same as `scripts/setup.sh browser`
  test      runs the tests of console and admin API, after `make build`
  pictures  takes over the pictures that the last test made into docs/images
TEXT
}

pictures=$CARGO_TARGET_DIR/pictures

run_tests() {
  local home chromium
  home=$(browser_home)
  [ -d "$home" ] || die "what drives the browser is not installed: run 'make setup'"
  chromium=$(find_chromium) || die "Chromium is missing: run 'make setup', or name it by CHROMIUM"
  cd "$repo/tests/console"
  export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$repo/scripts/python
  CHROMIUM=$chromium AXE=$home/axe.min.js PICTURES=$pictures PROGRAM=$CARGO_TARGET_DIR/debug/event-ingest \
    exec "$home/bin/python" -m pytest -q -p no:cacheprovider -p no:schemathesis "$@"
}

case ${1:-} in
  install) exec "$repo/scripts/setup.sh" browser ;;
  test) shift; run_tests "$@" ;;
  pictures)
    [ -d "$pictures" ] || die "there are no pictures yet: run 'make test-console'"
    mkdir -p "$repo/docs/images"
    cp "$pictures"/*.png "$repo/docs/images/"
    ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
