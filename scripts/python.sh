#!/usr/bin/env bash
# Runs Python in the project's virtual environment: scripts/python.sh FILE ARGUMENT…
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python=$(python_home)/bin/python
[ -x "$python" ] || die "the Python environment is not installed: run 'make setup'"
exec "$python" "$@"
