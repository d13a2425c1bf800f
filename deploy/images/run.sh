#!/usr/bin/env bash
# Runs an image's program in the folder that assemble.sh made, as Kubernetes would with the strictest settings: the folder
# is its root and cannot be written, its user is 65532 (without root: an unprivileged one called that), it has no
# capability and cannot get any, it sees its own processes alone. Linux' namespaces do it; no container runtime is needed.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: deploy/images/run.sh [--env NAME=VALUE]… [--volume FOLDER:PATH]… [--pid FILE] ROOT PROGRAM [ARGUMENT…]
       deploy/images/run.sh --possible

  --env       the program's whole environment is what is given here
  --volume    a folder of this machine that may be written, at a path of the root
  --pid       a file that gets the number of the program's process, as this machine counts
  --possible  tells by its exit code whether this machine allows it at all
TEXT
}

# namespaces: how to get them as who we are.
if [ "$(id -u)" = 0 ]; then namespaces=(unshare); else namespaces=(unshare --user --map-root-user); fi
namespaces+=(--mount --pid --fork --kill-child --propagation private)

environment=() volumes=() pid_file=''
while [ $# -gt 0 ]; do
  case $1 in
    --possible) exec "${namespaces[@]}" mount -t tmpfs none /tmp 2>/dev/null ;;
    --env) environment+=("$2") && shift ;;
    --volume) volumes+=("$2") && shift ;;
    --pid) pid_file=$2 && shift ;;
    -h | --help) usage && exit ;;
    -*) usage >&2 && exit 2 ;;
    *) break ;;
  esac
  shift
done
if [ $# -lt 2 ]; then
  usage >&2
  exit 2
fi

# Within the namespaces: mounts, then the program in place of this shell.
# shellcheck disable=SC2016
inside='
set -euo pipefail
root=$1 user=$2 volumes=$3 environments=$4
shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs -o size=64k,mode=755 none "$root/dev"
for device in null zero random urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root/dev"
for ((i = 0; i < volumes; i++)); do
  mkdir -p "$root/${1#*:}"
  mount --bind "${1%%:*}" "$root/${1#*:}"
  shift
done
mount -o remount,bind,ro "$root"
environment=("${@:1:$environments}")
shift "$environments"
if [ "$user" = 0 ]; then
  enter=("$(command -v chroot)" --userspec=65532:65532 --groups= "$root")
else
  enter=("$(command -v unshare)" --user --map-user=65532 --map-group=65532 --root="$root")
fi
exec setpriv --no-new-privs env -i "${environment[@]}" "${enter[@]}" "$@"
'
root=$(cd "$1" && pwd)
shift
command=("${namespaces[@]}" bash -c "$inside" run "$root" "$(id -u)" "${#volumes[@]}" "${#environment[@]}")
command+=("${volumes[@]}" "${environment[@]}" "$@")
[ -n "$pid_file" ] || exec "${command[@]}"

"${command[@]}" &
outer=$!
trap 'kill -KILL "$outer" 2>/dev/null || true' EXIT
trap 'exit 143' INT TERM
# The program is the one child of `unshare`.
until child=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null) && [ -n "$child" ]; do
  kill -0 "$outer" 2>/dev/null || break
done
printf '%s\n' "${child// /}" >"$pid_file"
status=0
wait "$outer" || status=$?
trap - EXIT
exit "$status"
