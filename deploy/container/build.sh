#!/bin/bash
# Builds the image, from nothing, without a daemon and without root: an OCI layout that any registry client pushes.
#   deploy/container/build.sh [--program build/signet] [--sysroot DIR] [--arch amd64] [--tag TAG] [--tar-only] OUT
# OUT/root.tar is the root file system, OUT/oci the layout, OUT/signet-ARCH.tar the same as one file. Needs umoci.
#   skopeo copy oci:OUT/oci:TAG docker://registry.example/signet:TAG
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
program=$here/build/signet sysroot= arch=amd64 tag=latest only= strip=strip
while [ $# -gt 1 ]; do
	case $1 in
	--program) program=$2; shift ;;
	--sysroot) sysroot=$2; shift ;;
	--arch) arch=$2; shift ;;
	--tag) tag=$2; shift ;;
	--tar-only) only=yes ;;
	*) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
	esac
	shift
done
out=${1:?$(sed -n '3s/^# */usage: /p' "$0")}
program=$(readlink -f "$program")
[ -x "$program" ] || { echo "build.sh: no program at $program; make builds it" >&2; exit 2; }
helper=$(dirname "$program")/signet-fetch
[ -x "$helper" ] || { echo "build.sh: signet-fetch is not beside $program" >&2; exit 2; }
[ -z "$sysroot" ] || strip=      # cross.sh did it

mkdir -p "$out"
words=(--program "$program" --helper "$helper" "--strip=$strip" --out "$out/root.tar")
[ -z "$sysroot" ] || words+=(--sysroot "$sysroot")
/usr/bin/python3 "$here/deploy/container/rootfs.py" "${words[@]}"
[ -z "$only" ] || exit 0

command -v umoci >/dev/null || { echo "build.sh: apt-get install umoci" >&2; exit 2; }
rm -rf "$out/oci"
umoci init --layout "$out/oci"
umoci new --image "$out/oci:$tag"
umoci raw add-layer --image "$out/oci:$tag" "$out/root.tar"
umoci config --image "$out/oci:$tag" --architecture "$arch" --os linux \
	--config.user 65532:65532 --config.workingdir / --config.entrypoint /coredns \
	--config.exposedports 53 --config.exposedports 53/udp --config.exposedports 8080 \
	--config.exposedports 8181 --config.exposedports 9153 \
	--created 1970-01-01T00:00:00Z --no-history
umoci gc --layout "$out/oci"
tar -C "$out/oci" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$out/signet-$arch.tar" .
echo "build: $out/oci:$tag $(du -bs "$out/oci" | cut -f1) bytes compressed"
