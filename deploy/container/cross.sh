#!/bin/bash
# Builds the program for another architecture, in a Debian root of its own: nothing of it is installed on this machine.
#   deploy/container/cross.sh [--arch arm64] [--root-only] OUT    as root; OUT has the programs, and the root as sysroot
# --root-only: the Debian root alone, which needs the network.
# The root is kept in ${CROSS_CACHE:-/var/cache/signet-cross}. build.sh --sysroot makes an image of it.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
cache=${CROSS_CACHE:-/var/cache/signet-cross}
suite=bookworm arch=arm64
[ "${1-}" != --arch ] || { arch=$2; shift 2; }
only=
[ "${1-}" != --root-only ] || { only=yes; shift; }
out=${1:?usage: deploy/container/cross.sh [--arch arm64] [--root-only] OUT}
[ "$(id -u)" = 0 ] || { echo "cross.sh: debootstrap and chroot need root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "cross.sh: apt-get install debootstrap" >&2; exit 2; }
case $arch in
arm64) triplet=aarch64-linux-gnu cpu=aarch64 ;;
riscv64|ppc64el|s390x) echo "cross.sh: only arm64 has been tried" >&2; exit 2 ;;
*) echo "cross.sh: no architecture is called $arch" >&2; exit 2 ;;
esac
root=$cache/$arch

if [ ! -f "$root/.ready" ]; then
	mkdir -p "$cache"
	rm -rf --one-file-system "$root"
	debootstrap --variant=minbase $suite "$root" ${MIRROR:+"$MIRROR"} >"$cache/log" 2>&1 ||
		{ tail -n 5 "$cache/log"; exit 1; }
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	for file in /etc/apt/apt.conf.d/*proxy*; do
		[ ! -f "$file" ] || cp "$file" "$root/etc/apt/apt.conf.d/"
	done
	chroot "$root" dpkg --add-architecture "$arch"
	touch "$root/.ready"
fi
# The libraries of tools/deps.sh's set "build", for the other architecture; the tools for this one.
libraries=$("$here/tools/deps.sh" --list build | sed -n "/cmocka\|libc6/d; s/-dev\$/&:$arch/p")
if [ "$libraries" != "$(cat "$root/.libraries" 2>/dev/null)" ]; then
	chroot "$root" apt-get update -q
	# shellcheck disable=SC2086 # lists of words
	DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -q --no-install-recommends \
		meson ninja-build pkg-config python3 ca-certificates gcc-$triplet libc6-dev-$arch-cross $libraries
	echo "$libraries" > "$root/.libraries"
fi

[ -z "$only" ] || exit 0
cat > "$root/cross.ini" <<INI
[binaries]
c = '$triplet-gcc'
ar = '$triplet-ar'
strip = '$triplet-strip'
pkgconfig = 'pkg-config'
[properties]
pkg_config_libdir = '/usr/lib/$triplet/pkgconfig:/usr/share/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = '$cpu'
cpu = '$cpu'
endian = 'little'
INI
mkdir -p "$root/src" "$root/build"
# The tree is bound into the root in a mount namespace, and read-only: the mounts go with it, however this ends.
unshare -m sh -euc '
	mount --bind "$1" "$2/src" && mount -o remount,ro,bind "$2/src"
	mount -t proc proc "$2/proc"
	chroot "$2" sh -euc "
		test -f /build/build.ninja ||
		meson setup /build /src --cross-file /cross.ini --buildtype=debugoptimized
		ninja -C /build -j2 src/app/signet src/app/signet-fetch
		$3-strip --strip-unneeded -o /build/signet /build/src/app/signet
		$3-strip --strip-unneeded -o /build/signet-fetch /build/src/app/signet-fetch"
' sh "$here" "$root" "$triplet"
mkdir -p "$out"
cp "$root/build/signet" "$root/build/signet-fetch" "$out/"
ln -sfn "$root" "$out/sysroot"
echo "cross: $arch: $out/signet"
