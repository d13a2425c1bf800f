#!/usr/bin/env bash
# The real Kubernetes API on the loopback interface: kube-apiserver over etcd, with roles, and nothing else. No
# controller runs, so nothing becomes ready, is scheduled or collected by itself.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/serve.sh"

title="the Kubernetes API" what=kube

usage() {
  cat <<'TEXT'
usage: scripts/kube.sh install
       scripts/kube.sh run [--port 6443] [--dir DIR] [--until-stdin-closes]

  install  builds kube-apiserver from its Go module, at the version in scripts/kube/go.mod (ten minutes of a core), and
           fetches Debian's etcd where there is none; does nothing when they are there
  run      starts both and stays until Ctrl-C or SIGTERM; DIR/admin.kubeconfig is an administrator's
    --dir DIR             keeps the data there; without it they are deleted at the end
    --until-stdin-closes  stops, at once, when standard input ends: a test's server never outlives the test
TEXT
}

home=$(kube_home)

# Whoever reaches the port needs it. It guards nothing but test data.
token=for-tests-alone

build() {
  local version
  version=$(sed -n 's/^require k8s.io\/kubernetes //p' "$repo/scripts/kube/go.mod")
  say "kube: building kube-apiserver $version (some minutes)"
  # Everything in the new folder: a build leaves 3 GB of modules and objects behind that nothing else wants.
  export GOCACHE=$1/work/cache GOMODCACHE=$1/work/modules GOTMPDIR=$1/work/tmp
  export GOTOOLCHAIN=local GOFLAGS='-modcacherw -buildvcs=false' CGO_ENABLED=0
  mkdir -p "$GOTMPDIR" "$1/bin"
  # Without its version it answers v0.0.0, which clients take for one that is very old.
  (cd "$repo/scripts/kube" && nice go build -trimpath -o "$1/bin/kube-apiserver" \
    -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" k8s.io/kubernetes/cmd/kube-apiserver) \
    >"$1/build.log" 2>&1 || {
    tail -n 20 "$1/build.log" >&2
    die "kube-apiserver could not be built: Go needs a module proxy (GOPROXY)"
  }
  # Here, though the PATH may have one: the folder may outlive that.
  if have etcd; then cp "$(command -v etcd)" "$1/bin/"; else fetch_etcd "$1"; fi
  rm -rf "$1/work" "$1/build.log"
}

# Unpacked, not installed: as a package it would start a service at once.
fetch_etcd() {
  mkdir "$1/work/etcd"
  (cd "$1/work/etcd" && apt-get -qq -o APT::Sandbox::User=root download etcd-server && dpkg -x etcd-server_*.deb .) >&2 ||
    die "etcd could not be fetched: apt-get needs a Debian mirror; any etcd on the PATH will do"
  cp "$1/work/etcd/usr/bin/etcd" "$1/bin/"
}

# free_port: one that nothing listens on, below those that the system gives away.
free_port() {
  local port
  while port=$((16384 + RANDOM % 16384)); listening "$port"; do :; done
  printf '%s\n' "$port"
}

kubeconfig() {
  cat <<TEXT
apiVersion: v1
kind: Config
current-context: admin
contexts: [{name: admin, context: {cluster: local, user: admin, namespace: default}}]
clusters: [{name: local, cluster: {server: "https://127.0.0.1:$port", certificate-authority: $dir/certificates/apiserver.crt}}]
users: [{name: admin, user: {token: $token}}]
TEXT
}

# both ETCD_PORT PEER_PORT: becomes the API server, with etcd as its child that dies with it, however it dies.
both() {
  setpriv --pdeathsig KILL "$home/bin/etcd" --name local --data-dir "$dir/etcd" \
    --listen-client-urls "http://127.0.0.1:$1" --advertise-client-urls "http://127.0.0.1:$1" \
    --listen-peer-urls "http://127.0.0.1:$2" --initial-advertise-peer-urls "http://127.0.0.1:$2" \
    --initial-cluster "local=http://127.0.0.1:$2" --unsafe-no-fsync --log-level warn >"$dir/etcd.log" 2>&1 &
  exec "$home/bin/kube-apiserver" --etcd-servers="http://127.0.0.1:$1" --bind-address=127.0.0.1 --secure-port="$port" \
    --cert-dir="$dir/certificates" --endpoint-reconciler-type=none --service-cluster-ip-range=10.0.0.0/24 \
    --disable-admission-plugins=ServiceAccount --authorization-mode=RBAC --token-auth-file="$dir/tokens.csv" \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$dir/accounts.pem" \
    --service-account-signing-key-file="$dir/accounts.pem" --watch-cache=false
}

is_ready() {
  curl -s --max-time 5 --cacert "$dir/certificates/apiserver.crt" -H "Authorization: Bearer $token" \
    "https://127.0.0.1:$port/readyz" 2>/dev/null | grep -x ok >/dev/null
}

run() {
  port=6443
  server_options "$@"
  [ -d "$home" ] || die "kube-apiserver is not installed: run 'scripts/setup.sh kube'"
  port_is_free
  server_dir
  [ -s "$dir/accounts.pem" ] || openssl genrsa -out "$dir/accounts.pem" 2048 2>/dev/null
  printf '%s,admin,admin,"system:masters"\n' "$token" >"$dir/tokens.csv"
  kubeconfig >"$dir/admin.kubeconfig"
  serve both "$(free_port)" "$(free_port)"
  until is_ready; do
    kill -0 "$server" 2>/dev/null || broke "$title ended before it was ready"
    [ "$SECONDS" -lt "$ready_within" ] || broke "$title is not ready after $ready_within s"
    sleep 0.1
  done
  say "$title is ready: https://127.0.0.1:$port (KUBECONFIG=$dir/admin.kubeconfig; log: $log)"
  until_it_ends
}

case ${1:-} in
  install) install_once "$home" build ;;
  run) shift; run "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
