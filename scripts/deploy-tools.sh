#!/usr/bin/env bash
# The programs that charts and scripts below deploy/ are checked with: helm, kubectl, kubeconform, shfmt.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/deploy-tools.sh install
       scripts/deploy-tools.sh path

  install  builds them from their Go modules, at the versions in scripts/deploy-tools/go.mod; does nothing when they are
           there
  path     prints their folder
TEXT
}

home=$(deploy_tools_home)

# version MODULE: as go.mod has it.
version() { sed -n "s|^\t$1 \(v[^ ]*\).*|\1|p" "$repo/scripts/deploy-tools/go.mod"; }

build() {
  say "deploy: building helm, kubectl, kubeconform and shfmt (a few minutes)"
  # Everything in the new folder: what the build leaves behind nothing else wants.
  export GOCACHE=$1/work/cache GOMODCACHE=$1/work/modules GOTMPDIR=$1/work/tmp
  export GOTOOLCHAIN=local GOFLAGS='-modcacherw -buildvcs=false' CGO_ENABLED=0
  mkdir -p "$GOTMPDIR" "$1/bin"
  # Clients say which version they are, and helm's charts ask for it.
  (cd "$repo/scripts/deploy-tools" && nice go build -trimpath -o "$1/bin/" -ldflags "-s -w \
    -X helm.sh/helm/v3/internal/version.version=$(version helm.sh/helm/v3) \
    -X k8s.io/component-base/version.gitVersion=$(version k8s.io/kubectl | sed s/^v0/v1/)" tool ./kubectl) \
    >"$1/build.log" 2>&1 || {
    tail -n 20 "$1/build.log" >&2
    die "they could not be built: Go needs a module proxy (GOPROXY)"
  }
  rm -rf "$1/work" "$1/build.log"
}

case ${1:-} in
  install) install_once "$home" build ;;
  path) printf '%s\n' "$home/bin" ;;
  -h | --help) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
