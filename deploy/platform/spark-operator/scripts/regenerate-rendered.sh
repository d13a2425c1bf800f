#!/usr/bin/env bash
# Renders the component's own templates into deployment/, to read and to compare.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component spark_operator

regenerate "$@"
