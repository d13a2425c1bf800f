#!/usr/bin/env bash
# Takes the Spark operator away. Applications and definitions stay: --delete-crds.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component spark_operator

uninstall
! asked --delete-crds "$@" || delete_crds sparkoperator.k8s.io
