#!/usr/bin/env bash
# An inventory (CycloneDX 1.5) of what a program is made of: every crate that cargo links into it, with licence and
# checksum. The same sources give the same file, byte by byte: it has no time and no random number.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

if [ $# -lt 2 ]; then
  printf 'usage: deploy/images/sbom.sh FOLDER PROGRAM…\n' >&2
  exit 2
fi
folder=$1
shift
mkdir -p "$folder"

# Build scripts and procedural macros are not in the program, and cargo's normal dependencies leave them out; but a crate
# called *-src is nothing but C sources that a build script compiles into it.
crates() {
  (
    cd "$repo"
    cargo tree --quiet --locked --no-default-features --package "$1" --edges normal,build,no-proc-macro --prefix none --format '{p}|{l}' |
      grep -E '^[a-z0-9_-]+-src v'
    cargo tree --quiet --locked --no-default-features --package "$1" --edges normal,no-proc-macro --prefix none --format '{p}|{l}'
  ) | sed 's/ (\*)$//' | LC_ALL=C sort -u
}

# "name version checksum" of every package of the registry.
checksums() {
  awk -F '"' '$1 == "name = " {name = $2} $1 == "version = " {version = $2} $1 == "checksum = " {print name, version, $2}' \
    "$repo/Cargo.lock"
}

version=$(awk -F '"' '/^\[workspace.package\]/ {here = 1} here && $1 == "version = " {print $2; exit}' "$repo/Cargo.toml")

for program in "$@"; do
  listed=$(crates "$program")
  jq -n --arg program "$program" --arg version "$version" --arg crates "$listed" --arg checksums "$(checksums)" '
    ($checksums | split("\n") | map(split(" ") | {key: "\(.[0]) \(.[1])", value: .[2]}) | from_entries) as $hash
    | def purl: "pkg:cargo/\(.name)@\(.version | @uri)";
    {
      bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
      metadata: {component: {type: "application", name: $program, version: $version, "bom-ref": $program}},
      components: [
        $crates | split("\n")[]
        | capture("^(?<name>[^ ]+) v(?<version>[^ |]+)(?<from>[^|]*)[|](?<licence>.*)$")
        | select(.name != $program)
        | $hash["\(.name) \(.version)"] as $sum
        | {type: "library", name, version, "bom-ref": purl, purl: purl}
          # What the registry writes with a slash is an "or".
          + (if .licence == "" then {} else {licenses: [{expression: (.licence | gsub(" */ *"; " OR "))}]} end)
          + (if $sum == null then {} else {hashes: [{alg: "SHA-256", content: $sum}]} end)
      ]
    }' >"$folder/$program.cdx.json"
done
