# Runs a server in the foreground of a script: `. "$(dirname "$0")/serve.sh"` after lib.sh. Sourced, never run.
# shellcheck shell=bash

ready_within=60 # seconds
dir='' guarded=false temporary=false server='' guard=''

# What ends the server at once; a script may set another before it calls `serve`.
hard_signal=KILL

# server_options OPTION…: the options of a server with one port; the script's `usage` says which there are.
server_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --dir) dir=$2; shift ;;
      --port) port=$2; shift ;;
      --until-stdin-closes) guarded=true ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
}

# port_is_free: or the script ends.
port_is_free() {
  if listening "$port"; then die "port $port is taken: choose another with --port"; fi
}

# server_dir: makes $dir an absolute path that exists, a temporary one if none was asked for, and arranges for the end.
server_dir() {
  if [ -z "$dir" ]; then dir=$(mktemp -d) temporary=true; fi
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  log=$dir/$what.log
  trap 'stop "$hard_signal" 1' EXIT
  trap 'stop TERM 0' INT TERM
}

stop() {
  trap - EXIT
  [ -z "$server" ] || kill "-$1" "$server" 2>/dev/null || true
  [ -z "$guard" ] || kill "$guard" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  if "$temporary"; then rm -rf "$dir"; fi
  exit "$2"
}

broke() {
  say "--- the end of $log"
  tail -n 20 "$log" >&2 || true
  say "---"
  say "error: $*"
  stop "$hard_signal" 1
}

# serve COMMAND…: starts the server in the background, and waits until it listens on $port. With $guarded it ends when
# standard input does.
serve() {
  exec 3<&0
  "$@" >>"$log" 2>&1 </dev/null 3<&- &
  server=$!
  SECONDS=0
  # Started before the server is ready: who gives up waiting must not leave it behind.
  if "$guarded"; then
    (while read -r -u 3 _; do :; done; kill -TERM $$) &
    guard=$!
    trap 'stop "$hard_signal" 0' TERM
  fi
  until listening "$port"; do
    kill -0 "$server" 2>/dev/null || broke "$title ended before it was ready"
    [ "$SECONDS" -lt "$ready_within" ] || broke "$title is not ready on port $port after $ready_within s"
    sleep 0.1
  done
}

# until_it_ends: stays while the server runs.
until_it_ends() {
  wait "$server" || true
  broke "$title ended by itself"
}
