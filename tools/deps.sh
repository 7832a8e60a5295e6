#!/bin/sh
# The one list of Debian packages this tree needs. Installs what is missing of the sets named, and nothing else:
#   tools/deps.sh [--check | --list] build|demo|test|peers|arm64|fuzz|bench ...
# --check says what is missing and exits 1 if anything is; --list prints the names. Works as root or with sudo.
# The set peers is wished for, not needed: without it those tests are skipped by name.
set -u

packages()
{
	case $1 in
	build) echo make meson ninja-build pkg-config gcc libc6-dev python3 libssl-dev libsodium-dev libcmocka-dev \
		libpsl-dev libcivetweb-dev libcap-ng-dev libnghttp2-dev libpcre2-dev \
		libjansson-dev libfyaml-dev libcurl4-openssl-dev ;;
	demo) echo ca-certificates python3-dnspython bind9-dnsutils openssl iproute2 mount ;;
	test) echo python3-pytest python3-dnspython openssl iproute2 mount ca-certificates git ;;
	peers) echo bind9 bind9-dnsutils bind9-utils knot knot-dnsutils nsd ldnsutils unbound unbound-host dnsperf \
		busybox libc-bin curl tcpdump man-db systemd procps prometheus faketime umoci buildah \
		nghttp2-server python3-cryptography python3-yaml musl-tools \
		etcd-server etcd-client nftables ;;
	arm64) echo debootstrap qemu-user-static umoci binutils \
		python3-pytest python3-dnspython openssl iproute2 mount ;;
	fuzz) echo clang libclang-rt-14-dev llvm ;;
	bench) echo unbound pdns-recursor dnsdist openssl iproute2 mount ;;
	*) echo "tools/deps.sh: no set of packages is called $1" >&2; return 2 ;;
	esac
}

installed()
{
	dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

# The names of the given sets that this machine lacks, one a line.
missing()
{
	for name in $(for set_name; do packages "$set_name"; done | tr ' ' '\n' | sort -u); do
		installed "$name" || echo "$name"
	done
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "tools/deps.sh: neither root nor sudo; as root: apt-get install $names" >&2
		return 1
	fi
}

# A resolver that is installed only to be compared with must not start here and take port 53, now or at the next
# boot: policy-rc.d is Debian's door for that, put up for the time of the installation unless the machine has one.
install_packages()
{
	policy=/usr/sbin/policy-rc.d
	own=
	if [ ! -e $policy ]; then
		own=yes
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null || return 1
		as_root chmod 755 $policy
		trap 'as_root rm -f $policy' EXIT
		trap 'exit 1' INT TERM
	fi
	as_root apt-get update -q </dev/null &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null
	status=$?
	if [ -n "$own" ]; then
		as_root rm -f $policy
		trap - EXIT INT TERM
	fi
	for name; do
		case $name in unbound|pdns-recursor|dnsdist|knot|nsd)
			as_root systemctl --quiet disable "$name" 2>/dev/null ;;
		esac
	done
	return $status
}

mode=install
case ${1-} in --check|--list) mode=${1#--}; shift ;; esac
[ $# -gt 0 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
needed= wished=
for set_name; do
	packages "$set_name" >/dev/null || exit 2
	if [ "$set_name" = peers ]; then wished=peers; else needed="$needed $set_name"; fi
done

if [ $mode = list ]; then
	for set_name; do packages "$set_name"; done | tr ' ' '\n' | sort -u
	exit 0
fi
# shellcheck disable=SC2086 # lists of words
names=$(missing $needed $wished | tr '\n' ' ')
if [ -z "$names" ]; then
	[ $mode = check ] || echo "tools/deps.sh: nothing missing for: $*"
	exit 0
fi
if [ $mode = check ]; then
	echo "missing Debian packages: $names(tools/deps.sh $* installs them)" >&2
	exit 1
fi
echo "tools/deps.sh: installing $names"
# shellcheck disable=SC2086
install_packages $names && exit 0
# Not all could be had: what is needed decides, what is wished for is skipped later, by name.
# shellcheck disable=SC2086
names=$(missing $needed | tr '\n' ' ')
if [ -n "$needed" ] && [ -n "$names" ]; then
	# shellcheck disable=SC2086
	install_packages $names || { echo "tools/deps.sh: could not install $names" >&2; exit 1; }
fi
echo "tools/deps.sh: going on without $(missing $wished | tr '\n' ' ')"
