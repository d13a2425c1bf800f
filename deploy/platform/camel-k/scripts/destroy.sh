#!/usr/bin/env bash
# Takes Camel K away, the alternative dispatcher too. Definitions stay: --delete-crds.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component camel_k

remove_camel_dispatcher
! has_kind integrationplatforms.camel.apache.org || remove "$folder/manifests/integration-platform.yaml"
uninstall
! asked --delete-crds "$@" || delete_crds camel.apache.org
