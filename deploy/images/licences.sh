#!/usr/bin/env bash
# The licence texts of every crate in a program's inventory, and of the C sources in them, as they came with the sources: each
# text once, below the names of those that it belongs to. The same sources give the same file.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

if [ $# -lt 2 ]; then
  printf 'usage: deploy/images/licences.sh FOLDER PROGRAM…     (FOLDER is what sbom.sh filled, and gets the texts too)\n' >&2
  exit 2
fi
folder=$1
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# texts FOLDER: the licence files of a crate; those of C sources lie a level deeper.
texts() {
  find "$1" -maxdepth 2 -type f -size -200k \
    \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'unlicen[cs]e*' -o -iname 'copyright*' \) \
    ! -name '*.rs' ! -name '*.toml' ! -name '*.json' | LC_ALL=C sort
}

# "name@version", tab, the folder of the sources, of every package that is not ours.
(cd "$repo" && cargo metadata --quiet --locked --format-version 1) |
  jq -r '.packages[] | select(.source != null) | "\(.name)@\(.version)\t\(.manifest_path | rtrimstr("/Cargo.toml"))"' |
  LC_ALL=C sort >"$work/folders"

for program in "$@"; do
  texts=$work/$program
  mkdir "$texts"
  jq -r '.components[] | "\(.name)@\(.version)"' "$folder/$program.cdx.json" | LC_ALL=C sort >"$work/crates"
  while IFS=$'\t' read -r crate path; do
    while read -r file; do
      hash=$(sha256sum <"$file" | cut -c1-64)
      [ -f "$texts/$hash.text" ] || cp "$file" "$texts/$hash.text"
      printf '%s: %s\n' "$crate" "${file#"$path/"}" >>"$texts/$hash.of"
    done < <(texts "$path")
  done < <(LC_ALL=C join -t $'\t' "$work/crates" "$work/folders")
  for text in "$texts"/*.text; do
    printf '%s\n' "================================================================================"
    cat "${text%.text}.of"
    printf '%s\n' "--------------------------------------------------------------------------------"
    cat "$text"
    printf '\n'
  done >"$folder/$program.licences.txt"
done
