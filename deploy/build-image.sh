#!/usr/bin/env bash
# Builds the image where there is neither Docker nor a registry of images: on Debian's own packages and the Node that the project
# installs, with buildah. Starts it then, asks it for /health, and runs a command with T69_URL, where it answers, if there is one. As
# root, after `pnpm install`:
#
#     deploy/build-image.sh [name of the image [command ...]]
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:-localhost/t69-sync}
shift || true
suite=bookworm
mirror=${MIRROR:-http://deb.debian.org/debian}
# What works inside of another container too.
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

for program in buildah debootstrap npm; do
  command -v "$program" >/dev/null || { echo "it needs $program" >&2; exit 1; }
done
[ -x node_modules/.bin/node ] || { echo 'it needs what pnpm install installs' >&2; exit 1; }

folder=$(mktemp -d)
containers=()
server=
clean() {
  if [ -n "$server" ]; then kill -- "-$server" 2>/dev/null && wait "$server" || true; fi
  for container in "${containers[@]}"; do buildah rm "$container" >/dev/null || true; done
  rm -rf "$folder"
}
trap clean EXIT

# The base: any with Node 24 and npm will do. sqlite3 is for the operator's command.
base=$folder/base
debootstrap --variant=minbase --include=ca-certificates,sqlite3 "$suite" "$base" "$mirror" >"$folder/log" ||
  { tail -n 20 "$folder/log" >&2; exit 1; }
rm -rf "$base"/var/cache/apt/archives/*.deb "$base"/var/lib/apt/lists/*
npm install --silent --global --prefix "$base/usr/local" npm@11
install -m 0755 "$(readlink -f node_modules/.bin/node)" "$base/usr/local/bin/node"
tar --create --file "$folder/base.tar" --directory "$base" --exclude './dev/*' .
container=$(buildah from scratch)
containers+=("$container")
buildah add --quiet "$container" "$folder/base.tar" / >/dev/null
# Node trusts whom the system trusts.
certificates=/etc/ssl/certs
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  --env NODE_USE_SYSTEM_CA=1 --env "SSL_CERT_FILE=$certificates/ca-certificates.crt" "$container"
buildah commit --quiet "$container" localhost/t69-base >/dev/null

# The build trusts whom this machine trusts: a company may read what goes to the registry. What is built does not.
buildah bud --format docker --volume "$certificates:$certificates:ro" --build-arg BASE=localhost/t69-base --tag "$image" .

# The image as it is started, on the network of this machine.
port=$(node_modules/.bin/node -e "require('net').createServer().listen(0, function () { console.log(this.address().port); this.close() })")
container=$(buildah from "$image")
containers+=("$container")
# In a process group of its own: buildah does not pass a signal on to the server.
setsid buildah run --user t69 --env "PORT=$port" "$container" -- t69-server >"$folder/log" 2>&1 &
server=$!
for _ in $(seq 100); do
  if health=$(node_modules/.bin/node -e "fetch('http://127.0.0.1:$port/health').then((r) => r.text()).then(console.log, () => process.exit(1))"); then
    echo "$image answers: $health"
    buildah run --user t69 --env "PORT=$port" "$container" -- t69-server doctor
    [ $# -eq 0 ] || T69_URL=http://127.0.0.1:$port "$@"
    exit
  fi
  kill -0 "$server" 2>/dev/null || break
  sleep 0.2
done
echo "$image does not answer:" >&2
cat "$folder/log" >&2
exit 1
