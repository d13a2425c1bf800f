#!/usr/bin/env bash
# One PostgreSQL server on the loopback interface, with a database of its own, for tests.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/serve.sh"

title=PostgreSQL what=postgres
# A fast end that takes the server's children along; SIGKILL would leave them.
hard_signal=QUIT

# Whoever reaches the port needs them. They guard nothing but test data.
user=event_ingest password=for-tests-alone

usage() {
  cat <<TEXT
usage: scripts/postgres.sh run [--port 5432] [--dir DIR] [--until-stdin-closes]

  starts a server and stays until Ctrl-C or SIGTERM: user $user, password $password, database $user
    --dir DIR             keeps the data there; without it they are deleted at the end
    --until-stdin-closes  stops, at once, when standard input ends: a test's server never outlives the test
TEXT
}

# PostgreSQL refuses to run as root. Then it runs as its own user, or as nobody.
become() {
  [ "$(id -u)" = 0 ] || { as=() && return; }
  local name=nobody
  if id postgres >/dev/null 2>&1; then name=postgres; fi
  as=(setpriv "--reuid=$(id -u "$name")" "--regid=$(id -g "$name")" --clear-groups)
  chown "$name" "$dir"
}

run() {
  port=5432
  server_options "$@"
  bin=$(postgres_bin) || die "PostgreSQL is not installed: run 'make setup'"
  port_is_free
  server_dir
  cd "$dir"
  become
  if [ ! -d "$dir/data" ]; then
    # A user is trusted with nothing: a client that forgets the password has to fail.
    printf '%s\n' "$password" >"$dir/password"
    "${as[@]}" "$bin/initdb" --pgdata="$dir/data" --username="$user" --pwfile="$dir/password" \
      --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync >"$log" 2>&1 ||
      broke "the data folder of PostgreSQL could not be made"
    # In single-user mode, which needs no password.
    "${as[@]}" "$bin/postgres" --single -D "$dir/data" postgres <<<"create database $user" >>"$log" 2>&1 ||
      broke "the database could not be created"
  fi
  # No socket file, and no waiting for the disk: the data are worth nothing after the test.
  serve "${as[@]}" "$bin/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c fsync=off -c shared_buffers=16MB -c max_connections=200
  say "$title is ready: postgresql://$user:$password@127.0.0.1:$port/$user (log: $log)"
  until_it_ends
}

case ${1:-} in
  run) shift; run "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
