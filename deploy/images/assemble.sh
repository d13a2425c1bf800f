#!/usr/bin/env bash
# What the Dockerfile makes, without Docker: an image's files in an empty folder, above what its base image would bring.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if [ $# != 4 ]; then
  cat >&2 <<'TEXT'
usage: deploy/images/assemble.sh IMAGE PROGRAMS INVENTORIES ROOT

Takes what stage.sh takes; ROOT is made. Libraries and certificates are this machine's: the base is made of Debian 12's, and
a program that needs another library, or a newer C library, than those is an error.
TEXT
  exit 2
fi
image=$1 programs=$2 inventories=$3 root=$4
program=$programs/$image

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# What distroless/cc-debian12 has of shared libraries, as far as any program could want it.
in_base='^(libc|libm|libdl|libpthread|librt|libresolv|libgcc_s|libstdc\+\+|libgomp|libssl|libcrypto)\.so\.|^ld-linux'
glibc=2.36

newest() { sort -V | tail -n 1; }

base() {
  local name from wanted
  mkdir -p "$root"/{dev,etc/ssl/certs,home/nonroot,proc,tmp}
  chmod 1777 "$root/tmp"
  # shellcheck disable=SC2094
  while read -r name from; do
    [[ $name =~ $in_base ]] || die "$program needs $name, which the base image does not have"
    install -D -m 755 "$from" "$root$from"
  done < <(ldd "$program" | awk '$2 == "=>" {print $1, $3} $1 ~ /^\// {n = split($1, part, "/"); print part[n], $1}')
  wanted=$(objdump -T "$program" | grep -o 'GLIBC_2[0-9.]*' | cut -d_ -f2 | newest)
  [ "$(printf '%s\n' "$wanted" "$glibc" | newest)" = "$glibc" ] ||
    die "$program needs version $wanted of the C library, and the base image has $glibc: build it on Debian 12"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" ||
    die "this machine has no certificates to copy (Debian: ca-certificates)"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  # Container runtimes put theirs here.
  : >"$root/etc/resolv.conf"
  : >"$root/etc/hosts"
}

[ ! -e "$root" ] || die "$root is there already"
[ -x "$program" ] || die "$program is missing: build the programs first"
mkdir -p "$root"
base
"$here/stage.sh" "$image" "$programs" "$inventories" "$root"
