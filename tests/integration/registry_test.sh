#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images to and from docker-registry: plain, with a password, over TLS with a CA of our own, over HTTP/2; read by skopeo.
#
#   tests/integration/registry_test.sh PATH-OF-copy_image_tool
set -euo pipefail

tool=$1
for program in docker-registry htpasswd openssl skopeo nginx curl; do
  command -v "$program" >/dev/null || PATH=$PATH:/usr/sbin
  command -v "$program" >/dev/null || { echo "$program is missing: tools/install-build-deps test" >&2; exit 1; }
done

work=$(mktemp -d)
pids=()
finish() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT

step() { echo "--- $*"; }
die() { echo "FAILED: $*" >&2; exit 1; }
expect_exit() {  # STATUS WORDS COMMAND…: the exit status, and words of the message
  local want=$1 words=$2 got=0
  shift 2
  "$@" >"$work/out" 2>"$work/err" || got=$?
  [ "$got" = "$want" ] || { cat "$work/err" >&2; die "exit status $got instead of $want: $*"; }
  grep -q -- "$words" "$work/err" || { cat "$work/err" >&2; die "\"$words\" is not in the message"; }
}
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
wait_for() {  # PORT

  for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.1
  done
  die "nothing listens on port $1"
}
start_registry() {  # NAME PORT EXTRA-YAML
  cat >"$work/$1.yml" <<YAML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/$1-data}}
$3
YAML
  timeout 200 docker-registry serve "$work/$1.yml" >"$work/$1.log" 2>&1 &
  pids+=($!)
  wait_for "$2"
}

step "an image of two layers and an index of two platforms"
python3 - "$work/layout" <<'PY'
import gzip, hashlib, io, json, os, random, sys, tarfile
root = sys.argv[1]
os.makedirs(f"{root}/blobs/sha256")
rng = random.Random(7)
def put(data):
    digest = hashlib.sha256(data).hexdigest()
    open(f"{root}/blobs/sha256/{digest}", "wb").write(data)
    return f"sha256:{digest}", len(data)
def layer(name, size):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name); info.size = size
        tar.addfile(info, io.BytesIO(rng.randbytes(size)))
    return out.getvalue()
T = "application/vnd.oci.image."
def image(arch, sizes):
    tars = [layer(f"file{i}", s) for i, s in enumerate(sizes)]
    layers = []
    for tar in tars:
        d, n = put(gzip.compress(tar, mtime=0)); layers.append({"mediaType": T + "layer.v1.tar+gzip", "digest": d, "size": n})
    config = {"architecture": arch, "os": "linux", "config": {}, "rootfs": {"type": "layers",
              "diff_ids": ["sha256:" + hashlib.sha256(t).hexdigest() for t in tars]}}
    d, n = put(json.dumps(config).encode())
    manifest = {"schemaVersion": 2, "mediaType": T + "manifest.v1+json",
                "config": {"mediaType": T + "config.v1+json", "digest": d, "size": n}, "layers": layers}
    d, n = put(json.dumps(manifest, indent=1).encode())  # odd white space: must survive
    return {"mediaType": T + "manifest.v1+json", "digest": d, "size": n, "platform": {"architecture": arch, "os": "linux"}}
amd, arm = image("amd64", [5000000, 300]), image("arm64", [1000])
d, n = put(json.dumps({"schemaVersion": 2, "mediaType": T + "index.v1+json", "manifests": [amd, arm]}, indent=3).encode())
index = {"mediaType": T + "index.v1+json", "digest": d, "size": n}
def named(entry, tag): return {**{k: v for k, v in entry.items() if k != "platform"}, "annotations": {"org.opencontainers.image.ref.name": tag}}
json.dump({"schemaVersion": 2, "manifests": [named(amd, "one"), named(index, "all")]}, open(f"{root}/index.json", "w"))
json.dump({"imageLayoutVersion": "1.0.0"}, open(f"{root}/oci-layout", "w"))
open(f"{root}/../digest-one", "w").write(amd["digest"]); open(f"{root}/../digest-all", "w").write(d)
open(f"{root}/../digest-arm", "w").write(arm["digest"])
PY
one=$(cat "$work/digest-one") all=$(cat "$work/digest-all") arm=$(cat "$work/digest-arm")
mkdir -p "$work/config"

step "plain HTTP on loopback: up, down, and by skopeo"
plain=$(free_port)
start_registry plain "$plain" "http: {addr: 127.0.0.1:$plain}"
first=$("$tool" "oci:$work/layout:one" "docker://127.0.0.1:$plain/team/os:v1" "$work/config")
[[ $first == "$one manifests=1 sent=3 reused=0"* ]] || die "unexpected: $first"
[ "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://127.0.0.1:$plain/team/os:v1")" = "$one" ] || die "skopeo reads another digest"
skopeo copy -q --src-tls-verify=false "docker://127.0.0.1:$plain/team/os:v1" "dir:$work/by-skopeo"
[ "sha256:$(sha256sum <"$work/by-skopeo/manifest.json" | cut -d' ' -f1)" = "$one" ] || die "skopeo copies another manifest"
"$tool" "127.0.0.1:$plain/team/os:v1" "oci:$work/back:v1" "$work/config" >/dev/null
for blob in "$work"/back/blobs/sha256/*; do cmp "$blob" "$work/layout/blobs/sha256/${blob##*/}"; done

step "a second time, and to another repository: nothing is sent"
again=$("$tool" "oci:$work/layout:one" "docker://127.0.0.1:$plain/team/os:v1" "$work/config")
[[ $again == "$one manifests=1 sent=0 reused=3 bytes_sent=0"* ]] || die "unexpected: $again"
mounted=$("$tool" "127.0.0.1:$plain/team/os:v1" "127.0.0.1:$plain/team/other:v1" "$work/config")
[[ $mounted == "$one manifests=1 sent=0 reused=3 bytes_sent=0"* ]] || die "unexpected: $mounted"

step "a whole index, and one platform of it"
index=$("$tool" "oci:$work/layout:all" "127.0.0.1:$plain/team/multi:v1" "$work/config")
[[ $index == "$all manifests=3 "* ]] || die "unexpected: $index"
[ "sha256:$(skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$plain/team/multi:v1" | sha256sum | cut -d' ' -f1)" = "$all" ] || die "the index changed"
picked=$("$tool" "127.0.0.1:$plain/team/multi:v1" "oci:$work/arm:v1" "$work/config" linux/arm64)
[[ $picked == "$arm manifests=1 "* ]] || die "unexpected: $picked"
expect_exit 3 "nothing for linux/s390x" "$tool" "127.0.0.1:$plain/team/multi:v1" "oci:$work/none:v1" "$work/config" linux/s390x

step "an archive, there and back"
"$tool" "127.0.0.1:$plain/team/os@$one" "oci-archive:$work/os.tar:v1" "$work/config" >/dev/null
[ "$(skopeo inspect --format '{{.Digest}}' "oci-archive:$work/os.tar:v1")" = "$one" ] || die "skopeo reads another digest in the archive"
skopeo copy -q "oci-archive:$work/os.tar:v1" "oci-archive:$work/by-skopeo.tar:v2"
back=$("$tool" "oci-archive:$work/by-skopeo.tar:v2" "127.0.0.1:$plain/team/from-archive:v2" "$work/config")
[[ $back == "$one "* ]] || die "unexpected: $back"

step "what is not there"
expect_exit 3 "MANIFEST_UNKNOWN" "$tool" "127.0.0.1:$plain/team/os:none" "oci:$work/none:v1" "$work/config"
expect_exit 3 "NAME_UNKNOWN\|MANIFEST_UNKNOWN" "$tool" "127.0.0.1:$plain/nobody/here:v1" "oci:$work/none:v1" "$work/config"

step "with a password"
htpasswd -Bbn user secret >"$work/htpasswd"
locked=$(free_port)
start_registry locked "$locked" "http: {addr: 127.0.0.1:$locked}
auth: {htpasswd: {realm: test, path: $work/htpasswd}}"
expect_exit 5 "asks for user and password" "$tool" "oci:$work/layout:one" "127.0.0.1:$locked/os:v1" "$work/config"
skopeo login --tls-verify=false --authfile "$work/config/auth.json" -u user --password-stdin "127.0.0.1:$locked" <<<secret >/dev/null
"$tool" "oci:$work/layout:one" "127.0.0.1:$locked/os:v1" "$work/config" >/dev/null
"$tool" "127.0.0.1:$locked/os:v1" "oci:$work/unlocked:v1" "$work/config" >/dev/null

step "over TLS, HTTP/2, with a CA of our own"
secure=$(free_port)
(cd "$work" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem &&
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=0.0.0.0 -keyout tls.key -out tls.csr &&
  openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out tls.pem -extfile <(echo subjectAltName=IP:0.0.0.0)) 2>/dev/null
cat >"$work/nginx.conf" <<NGINX
daemon off; master_process off; pid $work/nginx.pid; error_log $work/nginx-error.log;
events {}
http {
  log_format line '\$server_protocol \$request_method \$connection';
  access_log $work/nginx-access.log line;
  client_body_temp_path $work/body; proxy_temp_path $work/proxy; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
  client_max_body_size 0;
  server {
    listen 127.0.0.1:$secure ssl http2; ssl_certificate $work/tls.pem; ssl_certificate_key $work/tls.key;
    location / { proxy_pass http://127.0.0.1:$plain; proxy_set_header Host \$http_host; proxy_set_header X-Forwarded-Proto https; }
  }
}
NGINX
timeout 200 nginx -e "$work/nginx-error.log" -c "$work/nginx.conf" >"$work/nginx.log" 2>&1 &
pids+=($!)
wait_for "$secure"
# 0.0.0.0 reaches loopback, but is not a loopback address: TLS is a must there.
expect_exit 4 "TLS: " "$tool" "0.0.0.0:$secure/team/os:v1" "oci:$work/none:v1" "$work/config"
mkdir -p "$work/config/certs.d/0.0.0.0:$secure"
cp "$work/ca.pem" "$work/config/certs.d/0.0.0.0:$secure/ca.crt"
"$tool" "0.0.0.0:$secure/team/os:v1" "oci:$work/secure:v1" "$work/config" >/dev/null
"$tool" "oci:$work/layout:all" "0.0.0.0:$secure/team/pushed:v1" "$work/config" >/dev/null
cmp "$work/secure/blobs/sha256/${one#sha256:}" "$work/layout/blobs/sha256/${one#sha256:}"
grep -q '^HTTP/2.0 GET' "$work/nginx-access.log" || die "not over HTTP/2"
[ "$(cut -d' ' -f3 "$work/nginx-access.log" | sort -u | wc -l)" -le 3 ] || die "more connections than two copies need"

step "no TLS where it must be, until registries.conf allows it"
expect_exit 4 "does not speak it" "$tool" "0.0.0.0:$plain/team/os:v1" "oci:$work/none:v1" "$work/config"
cat >"$work/config/registries.conf" <<CONF
[[registry]]
location = "0.0.0.0:$plain"
insecure = true
CONF
"$tool" "0.0.0.0:$plain/team/os:v1" "oci:$work/insecure:v1" "$work/config" >/dev/null

echo "all well"
