#!/usr/bin/env bash
# Takes Camel K away, the alternative dispatcher too. Definitions stay: --delete-crds.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component camel_k

if has_kind integrations.camel.apache.org; then
  remove "$folder/manifests/dispatcher.yaml" "$folder/manifests/integration-platform.yaml"
fi
uninstall
! asked --delete-crds "$@" || delete_crds camel.apache.org
