#!/bin/bash
# Proof that the tree installs what it needs: a Debian 12 root with nothing in it but apt, git and make, a clone of
# HEAD, and there `make demo`, `make test` or whatever is named, each timed.
#   tools/fresh.sh [--keep] [--ci] [TARGET...]       as root; default: demo test
# The bare root is kept as an archive in ${FRESH_CACHE:-/var/cache/signet-fresh}; packages come from the mirror that
# this machine's own apt uses. It runs in mount and process namespaces of its own, with the machine's network for apt.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
cache=${FRESH_CACHE:-/var/cache/signet-fresh}
suite=bookworm
keep=
targets=()
while [ $# -gt 0 ]; do
	case $1 in
	--keep) keep=yes ;;
	--ci) targets+=(--ci) ;;
	-*) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
	*) targets+=("$1") ;;
	esac
	shift
done
[ ${#targets[@]} -gt 0 ] || targets=(demo test)
[ "$(id -u)" = 0 ] || { echo "tools/fresh.sh: debootstrap and chroot need root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "tools/fresh.sh: apt-get install debootstrap" >&2; exit 2; }

# The first mirror that this machine's sources give for the suite, in either of apt's two formats.
mirror()
{
	awk -v suite=$suite '
		/^URIs:/ { uri = $2 }
		/^Suites:/ { if (index($0, suite) && uri != "") { print uri; exit } }
		/^deb / { for (i = 2; i < NF; i++) if ($(i + 1) == suite) { print $i; exit } }
	' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1
}

archive=$cache/$suite.tar
if [ ! -f "$archive" ]; then
	from=$(mirror)
	[ -n "$from" ] || { echo "tools/fresh.sh: /etc/apt names no mirror for $suite" >&2; exit 2; }
	mkdir -p "$cache"
	rm -rf "$cache/new"
	began=$SECONDS
	debootstrap --variant=minbase --include=git,make,ca-certificates $suite "$cache/new" "$from" \
		>"$cache/log" 2>&1 ||
		{ tail -n 5 "$cache/log"; exit 1; }
	tar -C "$cache/new" -cf "$archive.new" . && mv "$archive.new" "$archive"
	rm -rf "$cache/new"
	echo "fresh: root made in $((SECONDS - began)) s"
fi

root=$(mktemp -d "${TMPDIR:-/tmp}/signet-fresh.XXXXXX")
cleanup()
{
	if [ -n "$keep" ]; then echo "fresh: kept in $root"; else rm -rf --one-file-system "$root"; fi
}
trap cleanup EXIT
tar -C "$root" -xf "$archive"
cp /etc/resolv.conf "$root/etc/resolv.conf"
for file in /etc/apt/apt.conf.d/*proxy*; do
	[ ! -f "$file" ] || cp "$file" "$root/etc/apt/apt.conf.d/"
done
git clone -q --no-hardlinks "$here" "$root/src/signet"
git -C "$root/src/signet" checkout -q "$(git -C "$here" rev-parse HEAD)"
echo "fresh: commit $(git -C "$here" rev-parse --short HEAD)"

# Mounts live in the namespace and go with it, however the run ends.
cat > "$root/inside" <<'INSIDE'
cd /src/signet || exit 1
status=0
for target; do
	began=$SECONDS
	if [ "$target" = --ci ]; then CI=true bash .ci/run; else make "$target"; fi
	one=$?
	times+="fresh: $target: exit status $one after $((SECONDS - began)) s"$'\n'
	[ $one = 0 ] || status=1
done </dev/null
printf '%s' "$times"
exit $status
INSIDE
status=0
unshare --mount --pid --fork --propagation private -- bash -c '
	root=$1; shift
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs tmpfs "$root/run"
	# The root of the namespace itself, not a chroot: tests that enter a mount namespace begin there.
	mkdir -p "$root/old"
	cd "$root"
	pivot_root . old
	exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 TERM=dumb \
		chroot . bash -c "umount -l /old; exec bash /inside \"\$@\"" inside "$@"' \
	fresh "$root" "${targets[@]}" || status=$?
exit $status
