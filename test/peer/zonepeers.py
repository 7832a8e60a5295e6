"""A zone between our program and named, knotd and nsd: who has it, who takes it, and the keys between them."""
import os
import signal
import subprocess
import typing

import dns.flags
import dns.tsig

from ask import ask, rcode, values
from server import Server

FOLDER = "/etc/coredns"
PORTS = {"named": 5401, "knotd": 5402, "nsd": 5403}
THERE = "/etc/others"

# 7 records
ZONE = """$ORIGIN z.test.
$TTL 300
@ SOA ns host {serial} {timers} 300
@ NS ns
ns A 192.0.2.1
*.w TXT "wild"
sub NS ns.sub
ns.sub A 192.0.2.2
"""


class Key(typing.NamedTuple):
    name: str = "k.test."
    secret: str = "c2VjcmV0IGtleSBmb3IgdGVzdGluZyAxMjM0NTY="
    algorithm: str = "hmac-sha256"

    def dnspython(self):
        return dns.tsig.Key(self.name, self.secret, self.algorithm)

    def dig(self):
        return f"{self.algorithm}:{self.name}:{self.secret}"

    def corefile(self, peer=None):
        """tsig with this key, and who it is spoken with."""
        lines = f"tsig {{\n secret {self.name} {self.secret} {self.algorithm}\n}}\n"
        return lines + (f"signet {{\n key {self.name} {peer}\n}}\n" if peer else "")


KEY = Key()
WRONG = {"secret": Key(secret="YW5vdGhlciBzZWNyZXQgdGhhbiB0aGUgcmlnaHQgb25l"),
         "algorithm": Key(algorithm="hmac-sha512"), "name": Key(name="other.test.")}


def zone(serial=7, timers="3600 600 86400", more=""):
    return ZONE.format(serial=serial, timers=timers) + more


def serve(world, corefile, **options):
    world.write(f"{FOLDER}/Corefile", corefile)
    return Server(world, folder=FOLDER, argv=[world.borrowed("coredns"), "-conf", f"{FOLDER}/Corefile"], **options)


def block(*lines, origin="z.test"):
    return f"{origin}:53 {{\n" + "\n".join(lines) + "\n}\n"


def master(*transfer, origin="z.test", more=()):
    """A block that has the zone of a file, and hands it out."""
    return block(f"file {FOLDER}/zone {origin} {{\n reload 1s\n}}", "transfer {", *transfer, "}", *more, origin=origin)


def slave(*servers, lines=(), more=()):
    """A block that takes the zone from these servers."""
    return block("secondary {", *(f"transfer from {s}" for s in servers), *lines, "}", *more)


NAMED = """{keys}
options {{ directory "{there}"; listen-on port 5401 {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  pid-file none; session-keyfile none; dnssec-validation no; {more} }};
controls {{ }};
zone "z.test" {{ {zone} }};
"""


def named(world, taking, key, more):
    keys = f'key "{key.name}" {{ algorithm {key.algorithm}; secret "{key.secret}"; }};' if key else ""
    by = f'key "{key.name}"' if key else ""
    if taking:
        zone_lines = f'type secondary; primaries {{ 127.0.0.1 port 53 {by}; }}; masterfile-format text;'
    else:
        zone_lines = f'type primary; file "{THERE}/zone"; allow-update {{ any; }};'
        allowed = by or "any"
        more += (f' allow-transfer {{ {allowed}; }}; notify explicit; '
                 f'also-notify {{ 127.0.0.1 port 53 {by}; }};')
    world.write(f"{THERE}/named.conf", NAMED.format(keys=keys, there=THERE, more=more, zone=zone_lines))
    return ["named", "-f", "-c", f"{THERE}/named.conf"]


KNOT = """server:
  listen: 127.0.0.1@5402
  rundir: /run
database:
  storage: /run
{keys}remote:
  - id: other
    address: 127.0.0.1@53
{by}acl:
  - id: all
    action: {action}
{by}zone:
  - domain: z.test
    acl: all
    {zone}
"""


def knotd(world, taking, key, _more):
    keys = f"key:\n  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: {key.secret}\n" if key else ""
    lines = ["master: other"] if taking else [
        f"file: {THERE}/zone", "notify: other", "zonefile-load: difference", "journal-content: changes",
        "zonefile-sync: -1"]
    world.write(f"{THERE}/knot.conf", KNOT.format(
        keys=keys, by=f"    key: {key.name}\n" if key else "", action="notify" if taking else "transfer",
        zone="\n    ".join(lines)))
    return ["knotd", "-c", f"{THERE}/knot.conf"]


NSD = """server:
  ip-address: 127.0.0.1@5403
  username: ""
  zonesdir: "{there}"
  database: ""
  pidfile: ""
  xfrdfile: "/run/xfrd"
  zonelistfile: "/run/zones"
remote-control:
  control-enable: no
{keys}zone:
  name: z.test
  {zone}
"""


def nsd(world, taking, key, _more):
    keys = f'key:\n  name: "{key.name}"\n  algorithm: {key.algorithm}\n  secret: "{key.secret}"\n' if key else ""
    by = key.name if key else "NOKEY"
    lines = [f"request-xfr: 127.0.0.1@53 {by}", f"allow-notify: 127.0.0.1 {by}", "zonefile: taken"] if taking else [
        f"provide-xfr: 127.0.0.1 {by}", f"notify: 127.0.0.1@53 {by}", "zonefile: zone"]
    world.write(f"{THERE}/nsd.conf", NSD.format(there=THERE, keys=keys, zone="\n  ".join(lines)))
    return ["nsd", "-d", "-c", f"{THERE}/nsd.conf"]


def begin(world, name, taking, key=None, more=""):
    """Another program beside ours: it has the zone, or takes it from us."""
    argv = {"named": named, "knotd": knotd, "nsd": nsd}[name](world, taking, key, more)
    return world.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def has_zone(world, name, key=None, more="", text=None):
    world.write(f"{THERE}/zone", text or zone())
    return begin(world, name, False, key, more)


def change(world, name, process, added, serial=8):
    """The zone that it has gets one record more, and it says so."""
    if name == "named":
        done = world.run("nsupdate", input=f"server 127.0.0.1 5401\nzone z.test\nupdate add {added}\nsend\n")
        assert done.returncode == 0, done.stderr
        return
    world.write(f"{THERE}/zone", zone(serial, more=f"{added}\n"))
    os.kill(process.pid, signal.SIGHUP)


def said(world, name="x.w.z.test.", kind="TXT", port=53):
    """What a server says with authority, or nothing."""
    m = ask(world, name, kind, port=port, timeout=1)
    return m is not None and rcode(m) == "NOERROR" and m.flags & dns.flags.AA and values(m, kind)


def serial(world, port=53):
    m = ask(world, "z.test.", "SOA", port=port, timeout=1)
    return m is not None and m.answer and m.answer[0][0].serial


def taken(world, *args, program="dig"):
    """Lines of what a program has of the zone."""
    text = world.run(program, "@127.0.0.1", "z.test", *args).stdout
    return sorted(" ".join(line.split()).lower() for line in text.splitlines() if line and line[0] != ";")
