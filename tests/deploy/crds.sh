#!/usr/bin/env bash
# scripts/crds.sh, from a folder in place of GitHub: what it makes is CRDS_DIR again, kind by kind; what is missing is named.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

root=$(mktemp -d "$work/crds-XXXXXX")
export CRDS_FROM=file://$root

# A file of one definition is the next of its project's; a file of many has them all, and something else.
declare -A given=()
while read -r project repository release path kinds; do
  case $project in '' | '#'*) continue ;; esac
  mkdir -p "$root/$repository/$release/$(dirname "$path")"
  mapfile -t files < <(find "$CRDS_DIR/$project" -name '*.yaml' | sort)
  if [ -n "$kinds" ]; then
    for file in "${files[@]}" "$CRDS_DIR/keda/scaledobjects.keda.sh.yaml"; do
      printf -- '---\n'
      cat "$file"
    done >"$root/$repository/$release/$path"
  else
    cp "${files[${given[$project]:-0}]}" "$root/$repository/$release/$path"
    given[$project]=$((${given[$project]:-0} + 1))
  fi
done <"$repo/scripts/crds.txt"

made=$("$repo/scripts/crds.sh" 2>"$root/log") || {
  cat "$root/log" >&2
  die "scripts/crds.sh failed"
}
trap 'rm -rf "$made" "$made.lock" "$work"' EXIT
diff <(cd "$CRDS_DIR" && find . -name '*.yaml' | sort) <(cd "$made" && find . -name '*.yaml' | sort) >&2 ||
  die "other definitions are fetched than manifests are checked against"
passed "$(find "$made" -name '*.yaml' | wc -l) definitions are fetched"

rm -rf "$made"
printf 'kind: List\n' >"$root/istio/istio/1.28.3/manifests/charts/base/files/crd-all.gen.yaml"
if "$repo/scripts/crds.sh" >"$root/log" 2>&1; then die "it did not notice that definitions are missing"; fi
grep -q 'does not define AuthorizationPolicy, PeerAuthentication' "$root/log" || die "it said: $(cat "$root/log")"
[ ! -e "$made" ] || die "half a set was left behind"
passed "what is missing is named"
