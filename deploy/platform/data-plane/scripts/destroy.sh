#!/usr/bin/env bash
# Takes the data plane away. What waits in topics stays; the dispatcher goes on where it was.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component data_plane

remove_camel_dispatcher
uninstall
