#!/bin/sh
# Puts the program where a system looks for it:   tools/install.sh SIGNET DESTDIR PREFIX
# Nothing of a distribution is overwritten: borrowed names live in libexec, an existing configuration stays, and the
# unit gets the second name unbound.service only where no such unit is.
set -eu
program=$1 dest=$2 prefix=$3
here=$(cd "$(dirname "$0")/.." && pwd)
units=$dest$prefix/lib/systemd/system

put()
{
	install -D -m "$1" "$2" "$3"
	echo "  $3"
}

# The file with @prefix@ filled in.
fill()
{
	mkdir -p "$(dirname "$2")"
	sed "s|@prefix@|$prefix|g" "$1" > "$2"
	chmod 644 "$2"
	echo "  $2"
}

put 755 "$program" "$dest$prefix/sbin/signet"
put 755 "$(dirname "$(readlink -f "$program")")/signet-fetch" "$dest$prefix/libexec/signet/signet-fetch"
mkdir -p "$dest$prefix/libexec/signet/bin"
for name in unbound unbound-checkconf coredns node-cache delv; do
	ln -sfn ../../../sbin/signet "$dest$prefix/libexec/signet/bin/$name"
	echo "  $dest$prefix/libexec/signet/bin/$name"
done
fill "$here/doc/signet.8" "$dest$prefix/share/man/man8/signet.8"
put 644 "$here/LICENSE" "$dest$prefix/share/doc/signet/LICENSE"
put 644 "$here/README.md" "$dest$prefix/share/doc/signet/README.md"
put 644 "$here/deploy/examples/signet.conf" "$dest$prefix/share/doc/signet/signet.conf.example"
put 644 "$here/deploy/systemd/signet.sysusers" "$dest$prefix/lib/sysusers.d/signet.conf"
fill "$here/deploy/systemd/signet.service" "$units/signet.service"

taken=
for folder in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
	there=$dest$folder/unbound.service
	[ "$(readlink "$there" || :)" = signet.service ] || [ ! -e "$there" ] || taken=$there
done
if [ -z "$taken" ]; then
	ln -sfn signet.service "$units/unbound.service"
	echo "  $units/unbound.service"
else
	echo "  $taken is there: the unit keeps its own name alone"
fi
if [ -e "$dest/etc/signet/signet.conf" ]; then
	echo "  $dest/etc/signet/signet.conf stays as it is"
elif [ -e "$dest/etc/unbound/unbound.conf" ]; then
	echo "  $dest/etc/unbound/unbound.conf is there and will be read; no file of ours put before it"
else
	put 644 "$here/deploy/examples/signet.conf" "$dest/etc/signet/signet.conf"
fi

# Into the running system itself: its user and its units become known at once.
if [ -z "$dest" ] && [ "$(id -u)" = 0 ]; then
	if command -v systemd-sysusers >/dev/null; then
		systemd-sysusers "$prefix/lib/sysusers.d/signet.conf"
	fi
	[ ! -d /run/systemd/system ] || systemctl daemon-reload
	echo "start it: systemctl enable --now signet      the whole switch: README.md"
fi
