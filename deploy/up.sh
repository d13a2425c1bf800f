#!/usr/bin/env bash
# Brings the platform and the data plane up, component by component, as deploy/config.yaml says.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$deploy/plan.sh"
. "$deploy/preflight.sh"

usage() {
  cat <<'TEXT'
usage: deploy/up.sh [--dry-run] [--from COMPONENT] [--only COMPONENT] [--skip-preflight]

  --dry-run         prints the plan and what the preflight finds; changes nothing
  --from COMPONENT  begins there: after a step that failed
  --only COMPONENT  that one alone
  --skip-preflight  goes on although a check fails

Each step may be repeated: what is there is brought to what the files say. DEPLOY_CONFIG names another config.yaml.
TEXT
}

dry=false from='' only='' check=true
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry=true ;;
    --from)
      from=${2:?--from wants a component}
      known "$from"
      shift
      ;;
    --only)
      only=${2:?--only wants a component}
      known "$only"
      shift
      ;;
    --skip-preflight) check=false ;;
    -h | --help)
      usage
      exit
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift
done

phase=$(setting phase)
case $phase in 1 | 2 | 3) ;; *) die "$config: phase is 1, 2 or 3, not '$phase'" ;; esac

steps=()
begun=$([ -z "$from" ] && printf true || printf false)
for name in "${order[@]}"; do
  [ "$name" != "$from" ] || begun=true
  if ! $begun || { [ -n "$only" ] && [ "$name" != "$only" ]; }; then continue; fi
  ! wanted "$name" "$phase" || steps+=("$name")
done
# The last step of phase 3: what Istio replaced goes.
if uses_istio && [ -z "$only" ]; then steps+=(-envoy_gateway); fi
[ "${#steps[@]}" -gt 0 ] || die "nothing to do: of phase $phase no component is enabled${only:+ but '$only' was asked for}"

say "plan, phase $phase:"
for step in "${steps[@]}"; do
  name=${step#-}
  there=$(installed "$name" || true)
  if [ "$name" != "$step" ]; then action=remove; elif [ -n "$there" ]; then action=upgrade; else action=install; fi
  version=$(settings | sed -n "s/^components\.$name\.chart_version=//p")
  say "  $(printf '%-8s %-15s %-10s %s' "$action" "$name" "${version:-"-"}" "namespace $(setting "components.$name.namespace")")${there:+ (its release is $there)}"
done

if $check || $dry; then
  preflight "$phase" || $dry || die "the preflight found problems; mend them, or go on with --skip-preflight"
fi
! $dry || exit 0

for step in "${steps[@]}"; do
  name=${step#-}
  if [ "$name" = "$step" ]; then script=$(scripts_of "$name")/build.sh; else script=$(scripts_of "$name")/destroy.sh; fi
  say "== $name"
  "$script" || die "$name failed; when it is mended, go on with: deploy/up.sh --from $name"
done
say "up: phase $phase. Verify it with: deploy/verify.sh phase$phase"
