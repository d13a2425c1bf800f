#!/usr/bin/env bash
# The images, as far as they can be made without Docker: tests/deploy/images.sh [--programs FOLDER]
#
# Each is assembled from the list that the Dockerfile uses too, and its program runs in it as Kubernetes would have it. The
# programs are those of `make build` unless a folder with what is to be shipped is named; their symbols are left out.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

have jq || die "jq is missing (Debian, Ubuntu: jq)"

images=(dispatcher light-worker spark-launcher event-ingest)
# What an image may have, base and all, as a registry keeps it. Programs that are not optimised are larger, and
# those of `make build` have the engine of `event-ingest sql`.
limit=80000000
# What gcr.io/distroless/cc-debian12 has beside our files: more than its compressed layers together.
base_size=12000000
start_within=20 # seconds

programs=$CARGO_TARGET_DIR/debug
case ${1:-} in
  '') ;;
  --programs) programs=$2 limit=40000000 ;;
  *) die "usage: tests/deploy/images.sh [--programs FOLDER]" ;;
esac
tools=$repo/deploy/images
if ! "$tools/run.sh" --possible; then
  say "images: skipped: this machine allows no namespaces (as root: mounts; else: unprivileged user namespaces)"
  exit 0
fi
for image in "${images[@]}"; do
  [ -x "$programs/$image" ] || die "$programs/$image is missing: run 'make build'"
done
"$repo/scripts/setup.sh" python

work=$(mktemp -d)
running=''
cleanup() {
  [ -z "$running" ] || kill -KILL "$running" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

checked=0
pass() {
  checked=$((checked + 1))
  say "  ok: $*"
}

# settings IMAGE: the variables that the Dockerfile sets, as options of run.sh.
settings() {
  sed -n "/^FROM base AS $1\$/,/^FROM/ s/^ENV \(.*\)/--env\n\1/p" "$tools/Dockerfile"
}

# starts IMAGE OPTION…: runs the image's program in the background until it tells where it listens; sets $process, $address.
starts() {
  local image=$1
  shift
  rm -f "$work/pid"
  "$tools/run.sh" --pid "$work/pid" "$@" >"$work/log" 2>&1 &
  running=$!
  SECONDS=0
  address=''
  until [ -n "$address" ] && [ -s "$work/pid" ]; do
    kill -0 "$running" 2>/dev/null || die "$image ended at once: $(tail -n 5 "$work/log")"
    [ "$SECONDS" -lt "$start_within" ] || die "$image did not start within $start_within s: $(tail -n 5 "$work/log")"
    # Services log it; standalone mode prints where its S3 endpoint is.
    address=$(sed -n 's#.*"message":"listening","address":"\([^"]*\)".*#\1#p; s#.*S3 endpoint[^h]*http://\([0-9.:]*\).*#\1#p' "$work/log" | head -n 1)
  done
  process=$(cat "$work/pid")
}

# ends: asks it to end, and it does so in order.
ends() {
  local status=0
  kill -TERM "$process"
  wait "$running" || status=$?
  running=''
  [ "$status" = 0 ] || die "after SIGTERM it ended with $status: $(tail -n 5 "$work/log")"
}

status_field() { awk -v field="$1:" '$1 == field {print $2}' "/proc/$process/status"; }

# is_confined: what the kernel says of the process.
is_confined() {
  # Without root this test sees its own user in the program's place.
  if [ "$(id -u)" = 0 ]; then [ "$(status_field Uid)" = 65532 ] || die "it runs as user $(status_field Uid)"; fi
  [ "$(status_field CapEff)$(status_field CapPrm)" = "$(printf '0%.0s' {1..32})" ] || die "it has capabilities"
  [ "$(status_field NoNewPrivs)" = 1 ] || die "it could get new rights"
  awk '$5 == "/" && $6 ~ /^ro(,|$)/ {found = 1} END {exit !found}' "/proc/$process/mountinfo" || die "its root can be written"
}

answers() { # PATH STATUS
  local got
  got=$(curl -s -o /dev/null -m 15 -w '%{http_code}' "http://$address$1") || true
  [ "$got" = "$2" ] || die "$1 answered $got, expected $2"
}

# fits IMAGE ROOT: our layer with the base is small enough.
fits() {
  local size
  size=$(($(tar -C "$2" -c --exclude=./dev --exclude=./proc . | gzip -6 | wc -c)))
  # The libraries in it belong to the base, which counts as a whole.
  size=$((size + base_size))
  [ "$size" -lt "$limit" ] || die "the image $1 would have $((size / 1000000)) MB, more than $((limit / 1000000))"
  pass "$1: at most $((size / 1000000)) MB compressed"
}

holds_nothing_else() { # IMAGE ROOT
  local found
  found=$(find "$2" -type f -perm /111 ! -name '*.so*' -printf '/%P\n')
  [ "$found" = "/usr/bin/$1" ] || die "$1 holds programs beside its own: $found"
  found=$(find "$2" \( -perm /6000 -o -type f -perm /022 \) -printf '/%P\n')
  [ -z "$found" ] || die "$1 holds files that anybody may write, or that give rights: $found"
  jq -e --arg image "$1" '.metadata.component.name == $image and (.components | length) > 100
      and ([.components[].name] | index("rdkafka-sys") and index("openssl-src"))' "$2/usr/share/sbom/$1.cdx.json" >/dev/null ||
    die "the inventory of $1 is not what it should be"
  pass "$1: its program, its inventory, no shell"
}

say "images: one Dockerfile"
for image in "${images[@]}"; do
  grep -q "^COPY --from=build /out/$image/ /\$" "$tools/Dockerfile" || die "the Dockerfile does not fill $image from the list"
  grep -q "^ENTRYPOINT \[\"/usr/bin/$image\"\]\$" "$tools/Dockerfile" || die "the Dockerfile does not start $image"
done
grep -Eq '^USER [1-9][0-9]*:[1-9][0-9]*$' "$tools/Dockerfile" || die "the Dockerfile names no user by number"
toolchain=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$repo/rust-toolchain.toml")
grep -q "^ARG RUST_IMAGE=rust:$toolchain-bookworm\$" "$tools/Dockerfile" || die "the Dockerfile builds with another Rust than $toolchain"
pass "a target for each of ${images[*]}, built by Rust $toolchain"

"$tools/sbom.sh" "$work/sbom" "${images[@]}"
"$tools/sbom.sh" "$work/again" "${images[@]}"
diff -r "$work/sbom" "$work/again" >/dev/null || die "two inventories of the same sources differ"
for image in dispatcher light-worker; do jq -r '.components[].name' "$work/sbom/$image.cdx.json" | sort >"$work/$image.crates"; done
grep -qx iceberg "$work/light-worker.crates" || die "the inventory of light-worker lacks iceberg"
! grep -qx iceberg "$work/dispatcher.crates" || die "the inventory of dispatcher names what it does not use"
! grep -qx proptest "$work/light-worker.crates" || die "the inventory of light-worker names what only its tests use"
pass "inventories"

"$tools/licences.sh" "$work/sbom" "${images[@]}"
for text in 'rdkafka-sys@.*: librdkafka/LICENSE' 'iceberg@.*: LICENSE' 'ring@.*: LICENSE'; do
  grep -q "^$text" "$work/sbom/light-worker.licences.txt" || die "the licence texts of light-worker lack $text"
done
! grep -q '^iceberg@' "$work/sbom/dispatcher.licences.txt" || die "the licence texts of dispatcher have what it does not use"
pass "licence texts"

# What the Dockerfile is given is enough: the same inventory comes out of it.
mkdir "$work/context"
sed -n 's/^!//p' "$tools/Dockerfile.dockerignore" >"$work/wanted"
(cd "$repo" && xargs -a "$work/wanted" git ls-files -z -- | tar --null -T - -c) | tar -C "$work/context" -x
(cd "$work/context" && cargo metadata --quiet --locked --no-deps --format-version 1) >"$work/metadata" ||
  die "the Dockerfile is given too little: Dockerfile.dockerignore"
"$work/context/deploy/images/sbom.sh" "$work/again" dispatcher
cmp -s "$work/sbom/dispatcher.cdx.json" "$work/again/dispatcher.cdx.json" || die "from what the Dockerfile is given another program comes"
pass "the Dockerfile is given enough"

mkdir "$work/programs"
for image in "${images[@]}"; do
  strip -o "$work/programs/$image" "$programs/$image"
  "$tools/assemble.sh" "$image" "$work/programs" "$work/sbom" "$work/$image"
  holds_nothing_else "$image" "$work/$image"
  fits "$image" "$work/$image"
  [ "$("$tools/run.sh" "$work/$image" "/usr/bin/$image" --version | cut -d' ' -f1)" = "$image" ] || die "$image does not run"
done
SOURCE_DATE_EPOCH=1000000000 "$tools/stage.sh" dispatcher "$work/programs" "$work/sbom" "$work/dated" ||
  die "the files of dispatcher could not be staged"
[ -n "$(find "$work/dated" -type f)" ] || die "nothing was staged"
[ -z "$(find "$work/dated" -type f -newermt @1000000000)" ] || die "files do not bear the time that they were given"
if "$tools/stage.sh" dispatcher "$work/nowhere" "$work/sbom" "$work/broken" 2>/dev/null; then die "a missing program was not noticed"; fi

for image in dispatcher light-worker spark-launcher; do
  mapfile -t options < <(settings "$image")
  "$tools/run.sh" "${options[@]}" --env KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1 --env HEAVY_BACKEND=inline \
    --env ICEBERG_CATALOG__URI=sqlite:////c.db --env ICEBERG_CATALOG__WAREHOUSE=file:///w \
    "$work/$image" "/usr/bin/$image" --print-config >"$work/config"
  grep -Eq 'listen.*0\.0\.0\.0:808[01]' "$work/config" || die "the image of $image does not listen on all interfaces"
done
pass "services listen on all interfaces"

# Nothing is where the brokers should be: that is told, and the process lives on.
starts dispatcher --env KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1 --env LISTEN=127.0.0.1:0 "$work/dispatcher" /usr/bin/dispatcher
is_confined
answers /livez 200
answers /readyz 503
ends
pass "dispatcher: runs confined, ends in order"

for image in light-worker spark-launcher; do
  mkdir "$work/$image.data"
  chmod 777 "$work/$image.data"
  starts "$image" --env LISTEN=127.0.0.1:0 --env HEAVY_BACKEND=inline --env ICEBERG_CATALOG__URI=sqlite:////data/catalog.db \
    --env ICEBERG_CATALOG__WAREHOUSE=file:///data/warehouse --volume "$work/$image.data:/data" "$work/$image" "/usr/bin/$image"
  is_confined
  answers /livez 200
  answers /readyz 200
  ends
  pass "$image: runs confined, ends in order"
done

# A file becomes rows, all on the one folder that may be written.
mkdir "$work/data"
chmod 777 "$work/data"
key=demo secret=demo-secret
starts event-ingest --env EVENT_INGEST_LISTEN=127.0.0.1:0 --env EVENT_INGEST_ADMIN_LISTEN=127.0.0.1:0 --env LOG_FORMAT=json \
  --env EVENT_INGEST_ACCESS_KEY=$key --env EVENT_INGEST_SECRET_KEY=$secret --volume "$work/data:/data" \
  "$work/event-ingest" /usr/bin/event-ingest standalone --data /data
is_confined
AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret AWS_DEFAULT_REGION=us-east-1 "$repo/scripts/python.sh" -m awscli \
  --endpoint-url "http://$address" s3 cp --only-show-errors "$repo/examples/data/flights-2001-01.parquet" s3://inbox/a.parquet
SECONDS=0
until grep -q '"message":"ingested"' "$work/log"; do
  [ "$SECONDS" -lt 30 ] || die "the file did not become rows: $(tail -n 5 "$work/log")"
done
ends
pass "event-ingest: a file became rows"

if "$tools/run.sh" "$work/event-ingest" /usr/bin/event-ingest standalone --data /elsewhere 2>"$work/log"; then
  die "standalone mode wrote below a root that cannot be written"
fi
grep -qi 'read-only' "$work/log" || die "standalone mode does not tell why it could not write: $(cat "$work/log")"
pass "event-ingest: says that its root cannot be written"

say "images: $checked passed, 0 failed"
