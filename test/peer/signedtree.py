"""A tree of zones signed by other people's signers, served by other people's servers on loopback, for the machines of
validation. Every zone has the same names, so that every proof is asked of every kind of zone."""
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode

START_S = 20
ALGORITHMS = {"rsa5": "RSASHA1", "rsa7": "NSEC3RSASHA1", "rsa8": "RSASHA256", "rsa10": "RSASHA512",
              "p256": "ECDSAP256SHA256", "p384": "ECDSAP384SHA384", "ed25519": "ED25519", "ed448": "ED448"}
NSEC3 = {   # zone: (iterations, salt, more words for dnssec-signzone)
    "n3": (0, "-", ()), "n3salt": (10, "aabbccdd", ()), "n3optout": (0, "-", ("-A",)), "n3costly": (100, "-", ()),
}
LDNS = {"ldns": (), "ldns3": ("-n", "-t", "5", "-s", "ab")}
SECURE = tuple(z for z in (*ALGORITHMS, *NSEC3, *LDNS) if z not in ("rsa5", "rsa7"))
TYPES = {   # one of each kind of rdata, names in mixed case where canonical form folds them
    "A": "192.0.2.1", "AAAA": "2001:db8::1", "MX": "10 Mail.Example.", "TXT": '"One" "two" "\\000\\255"',
    "PTR": "Host.Example.",
    "SRV": "1 2 3 Target.Example.", "NAPTR": '1 2 "u" "E2U+sip" "!^.*$!sip:x!" Replace.Example.', "HINFO": '"Cpu" "Os"',
    "RP": "Mail.Box.Example. Txt.Example.", "AFSDB": "1 Server.Example.", "KX": "1 Kx.Example.",
    "CAA": '0 issue "Ca.Example"',
    "TLSA": "3 1 1 " + "AB" * 32, "SSHFP": "1 1 " + "cd" * 20, "URI": '1 2 "https://Example/"',
    "LOC": "52 22 23 N 4 53 32 E 0m",
    "SVCB": "1 svc.example. alpn=h2", "HTTPS": "1 . alpn=h2,h3 port=8443", "TYPE65280": "\\# 4 DEADBEEF",
    "CDS": "1 13 2 " + "00" * 32, "NS": "Ns.Below.types",
}


def tools_missing():
    return [t for t in ("dnssec-keygen", "dnssec-signzone", "ldns-keygen", "ldns-signzone") if not shutil.which(t)]


def run(*words, cwd):
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def leaf_zone(name, below):
    """The names that every zone has. `below`: DS lines of its signed child."""
    types = "".join(f"types IN {t} {v}\n" for t, v in TYPES.items() if t != "NS")
    return f"""$ORIGIN {name}.
$TTL 300
@ IN SOA ns hostmaster 1 7200 3600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
www IN A 192.0.2.1
www IN A 192.0.2.2
many IN TXT "{'x' * 200}"
{''.join(f'many IN TXT "{i} {"y" * 60}"{chr(10)}' for i in range(60))}
*.wild IN A 192.0.2.3
*.wild IN MX 10 Mail
there.wild IN A 192.0.2.4
deep.under.ent IN A 192.0.2.5
alias IN CNAME www
alias2 IN CNAME alias
walias.wild IN CNAME any.wild
out IN CNAME www.unsigned.
dname IN DNAME wild
unsigned IN NS ns.unsigned
ns.unsigned IN A 127.0.0.1
signed IN NS ns.signed
ns.signed IN A 127.0.0.1
{below}
{types}"""


class Zones:
    """The files, signed, and the root's DS."""

    def __init__(self, folder: Path):
        self.folder, self.zones = folder, {}
        self.make()

    def sign(self, zone, text, algorithm="ECDSAP256SHA256", nsec3=None, words=()):
        """Two keys, as most zones have; returns the DS lines for the parent."""
        file = self.folder / f"{zone or 'root'}.zone"
        file.write_text(text)
        bits = ("-b", "1024") if algorithm in ("RSASHA1", "NSEC3RSASHA1", "RSASHA256", "RSASHA512") else ()
        for flags in ((), ("-f", "KSK")):
            run("dnssec-keygen", "-q", "-a", algorithm, *bits, *flags, f"{zone}.", cwd=self.folder)
        more = () if nsec3 is None else ("-3", nsec3[1], "-H", str(nsec3[0]), *nsec3[2])
        run("dnssec-signzone", "-q", "-S", "-N", "keep", "-o", f"{zone}.", "-f", f"{file.name}.signed", *more, *words,
            file.name, cwd=self.folder)
        self.zones[zone] = file.with_name(file.name + ".signed")
        return (self.folder / f"dsset-{zone}.").read_text()

    def sign_ldns(self, zone, text, words):
        file = self.folder / f"{zone}.zone"
        file.write_text(text)
        keys = [run("ldns-keygen", *flags, "-a", "ECDSAP256SHA256", f"{zone}.", cwd=self.folder).strip()
                for flags in ((), ("-k",))]
        run("ldns-signzone", "-o", f"{zone}.", "-f", f"{file.name}.signed", *words, file.name, *keys, cwd=self.folder)
        self.zones[zone] = file.with_name(file.name + ".signed")
        return "".join((self.folder / f"{k}.ds").read_text() for k in keys[1:])

    def child(self, zone):
        name = f"signed.{zone}"
        return self.sign(name, f"$ORIGIN {name}.\n$TTL 300\n@ IN SOA ns h 1 2 3 4 60\n@ IN NS ns\nns IN A 127.0.0.1\n"
                         "www IN A 192.0.2.9\n")

    def plain(self, zone):
        file = self.folder / f"{zone}.zone"
        file.write_text(f"$ORIGIN {zone}.\n$TTL 300\n@ IN SOA ns h 1 2 3 4 60\n@ IN NS ns\nns IN A 127.0.0.1\n"
                        "www IN A 192.0.2.8\n")
        self.zones[zone] = file

    def make(self):
        ds = ""
        for zone, algorithm in ALGORITHMS.items():
            ds += self.sign(zone, leaf_zone(zone, self.child(zone)), algorithm,
                            (5, "-", ()) if zone == "rsa7" else None)
        for zone, nsec3 in NSEC3.items():
            ds += self.sign(zone, leaf_zone(zone, self.child(zone)), nsec3=nsec3)
        for zone, words in LDNS.items():
            ds += self.sign_ldns(zone, leaf_zone(zone, self.child(zone)), words)
        for zone in (*ALGORITHMS, *NSEC3, *LDNS):
            self.plain(f"unsigned.{zone}")
        self.plain("unsigned")
        names = "".join(f"{z} IN NS ns.{z}\nns.{z} IN A 127.0.0.1\n" for z in (*ALGORITHMS, *NSEC3, *LDNS, "unsigned"))
        self.root_ds = self.sign("",
                                 f"$ORIGIN .\n$TTL 300\n. IN SOA ns. h. 1 2 3 4 60\n. IN NS ns.\nns. IN A 127.0.0.1\n"
                                 f"{names}{ds}")


class Tree:
    """The zones served; .ask(name, type) is what a resolver gets."""

    def __init__(self, zones: Zones, folder: Path, server: str):
        self.folder, self.server, self.process = folder, server, None
        self.zones, self.root_ds = zones.zones, zones.root_ds
        self.serve()

    def conf_knotd(self):
        zones = "".join(f"  - domain: \"{z}.\"\n    file: {f}\n" for z, f in self.zones.items())
        text = (f"server:\n  rundir: {self.folder}\n  listen: 127.0.0.1@{self.port}\n"
                f"  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\ndatabase:\n  storage: {self.folder}/db\n"
                f"template:\n  - id: default\n    storage: {self.folder}\n    semantic-checks: off\n"
                f"    zonefile-load: whole\n    journal-content: none\nzone:\n{zones}")
        return "knotd.conf", text, ("knotd", "-c")

    def conf_nsd(self):
        zones = "".join(f"zone:\n  name: \"{z}.\"\n  zonefile: \"{f}\"\n" for z, f in self.zones.items())
        text = (f"server:\n  ip-address: 127.0.0.1@{self.port}\n  username: \"\"\n  chroot: \"\"\n"
                f"  zonesdir: \"{self.folder}\"\n"
                f"  database: \"\"\n  pidfile: \"{self.folder}/nsd.pid\"\n  xfrdfile: \"{self.folder}/xfrd.state\"\n"
                f"  zonelistfile: \"{self.folder}/zone.list\"\n  cookie-secret-file: \"{self.folder}/cookie\"\n"
                f"  server-count: 1\n  reuseport: no\nremote-control:\n  control-enable: no\n{zones}")
        return "nsd.conf", text, ("nsd", "-d", "-c")

    def conf_named(self):
        zones = "".join(f"zone \"{z or '.'}\" {{ type primary; file \"{f}\"; }};\n" for z, f in self.zones.items())
        text = (f"options {{ directory \"{self.folder}\"; listen-on port {self.port} {{ 127.0.0.1; }};\n"
                f" listen-on-v6 {{ none; }}; recursion no; pid-file \"{self.folder}/named.pid\";\n"
                f" session-keyfile none; check-names primary ignore;\n"
                f" dnssec-validation no; minimal-responses no; allow-query {{ any; }}; }};\ncontrols {{ }};\n{zones}")
        return "named.conf", text, ("named", "-g", "-n", "1", "-c")

    def serve(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        name, text, words = getattr(self, f"conf_{self.server}")()
        (self.folder / "db").mkdir(exist_ok=True)
        (self.folder / name).write_text(text)
        self.log = open(self.folder / f"{self.server}.log", "wb")
        self.process = subprocess.Popen([*words, str(self.folder / name)], stdout=self.log, stderr=self.log,
                                        cwd=self.folder)
        end = time.monotonic() + START_S
        while True:
            try:
                if self.ask(".", "SOA").rcode() == dns.rcode.NOERROR:
                    return
            except (OSError, dns.exception.DNSException):
                pass
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.server} does not answer: " + self.log_text()[-2000:])
            time.sleep(0.05)

    def log_text(self):
        return (self.folder / f"{self.server}.log").read_text(errors="replace")

    def ask(self, name, rrtype):
        q = dns.message.make_query(name, rrtype, want_dnssec=True)
        q.flags &= ~dns.flags.RD
        return dns.query.tcp(q, "127.0.0.1", port=self.port, timeout=5)

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


class Verdict:
    def __init__(self, line):
        words = line.split(" ", 7)
        self.security, self.why = words[0], words[7] if len(words) > 7 else ""
        self.ede, self.rcode, self.ttl, self.verifies, self.blocks, self.records = map(int, words[1:7])

    def __repr__(self):
        return f"{self.security} {self.why!r} ede {self.ede} rcode {self.rcode} ttl {self.ttl} records {self.records}"


class Prover:
    """The program under test. `answer(name, type)` gives it messages; None: no answer."""

    def __init__(self, program, root_ds, wall=None, words=()):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.asked = []
        for line in root_ds.splitlines():
            if line.strip():
                self.say("ANCHOR " + line)
        self.say(f"WALL {wall or int(time.time())}")
        for word in words:
            self.say(word)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def prove(self, name, rrtype, answer):
        self.asked = []
        self.say(f"PROVE {name} {rrtype}")
        while True:
            line = self.process.stdout.readline().rstrip("\n")
            if not line:
                raise RuntimeError(f"prove ended: {self.process.wait(5)}")
            if not line.startswith("ASK "):
                return Verdict(line)
            question = tuple(line.split(" ")[1:])
            self.asked.append(question)
            message = answer(*question)
            self.say("-" if message is None else message.to_wire().hex())

    def rewrite(self, state: bytes):
        self.say("STATE " + state.hex())
        word, rest = self.process.stdout.readline().rstrip("\n").split(" ", 1)
        return bytes.fromhex(rest) if word == "STATE" else rest

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(10)


def program():
    root = Path(__file__).resolve().parents[2]
    named = os.environ.get("SIGNET_PROVE")
    for path in [Path(named)] if named else [root / b / "test/proof/prove" for b in ("build-debug", "build")]:
        if path.exists():
            return str(path)
    return None
