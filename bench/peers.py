"""The servers of the benchmark: how each is configured, started and named.

signet and the packaged unbound read the same users' file, of which only paths and the port differ,
and a second file beside it with what the file does not ask for (one thread, a DoT listener)."""
import re
import shutil
import subprocess
from pathlib import Path

UPSTREAMS = ("1.1.1.1", "1.0.0.1", "9.9.9.9", "149.112.112.112")
TLS_NAMES = ("cloudflare-dns.com", "dns.quad9.net")

# What of the users' file is exchanged: line as written there, line as run here.
EXCHANGED = (
    ("    port: 53\n", "    port: {port}\n"),
    ('"/var/lib/unbound/root.key"', '"{dir}/root.key"'),
    ("/var/log/unbound/unbound.log", "{dir}/server.log"),
    ("/etc/ssl/certs/ca-certificates.crt", "{work}/ca.pem"),
)
# What of the users' Corefile is exchanged; its block stands three times, for plain DNS, DoT and DoH.
COREFILE_EXCHANGED = (
    ("    forward . /etc/resolv.conf {\n",
     "    forward . tls://1.1.1.1 tls://1.0.0.1 {{\n        tls {work}/ca.pem\n"
     "        tls_servername cloudflare-dns.com\n"),
)
COREFILE_KEYS = (("port", ".:{port}"), ("dot", "tls://.:{dot}"), ("doh", "https://.:{doh}"))
LOG_LINES = ("log-queries: yes", "log-replies: yes")

BESIDE = """server:
    num-threads: 1
    interface: 127.0.0.1@{dot}
    tls-port: {dot}
    tls-service-key: "{work}/key.pem"
    tls-service-pem: "{work}/cert.pem"
"""

UNBOUND_DOH = """    interface: 127.0.0.1@{doh}
    https-port: {doh}
"""

RECURSOR = """local-address=127.0.0.1
local-port={port}
threads=1
pdns-distributes-queries=no
forward-zones-recurse=.={upstreams}
dot-to-port-853=yes
dont-query=
socket-dir={dir}
security-poll-suffix=
client-tcp-timeout=30
quiet=yes
disable-syslog=yes
daemon=no
"""

DNSDIST = """setLocal("127.0.0.1:{port}")
addTLSLocal("127.0.0.1:{dot}", "{work}/cert.pem", "{work}/key.pem", {{ provider="openssl" }})
setMaxTCPClientThreads(1)
setSecurityPollSuffix("")
setTCPRecvTimeout(30)
getPool(""):setCache(newPacketCache(100000, {{ maxTTL=86400 }}))
newServer({{ address="1.1.1.1:853", tls="openssl", subjectName="cloudflare-dns.com",
            caStore="{work}/ca.pem", maxInFlight=100 }})
"""


class Server:
    """One server: its name in the table, its command line, and which transports it serves."""

    def __init__(self, name, version, work, index):
        self.name = name
        self.version = version
        self.dir = work / name.replace(" ", "-")
        self.port = 5300 + 10 * index
        self.dot, self.doh = self.port + 1, self.port + 2
        self.modes = ("udp", "tcp", "dot")
        self.argv = None
        self.log = None  # path of the query log, where two lines are owed for each answer
        self.is_echo = False
        self.process = None
        self.users_text = None  # the judged file as this server reads it
        self.dir.mkdir()
        self.dir.chmod(0o777)  # servers give up root before they open their logs

    def fill(self, template):
        return template.format(dir=self.dir, work=self.dir.parent, port=self.port, dot=self.dot, doh=self.doh,
                               upstreams=";".join(a + ":853" for a in UPSTREAMS))

    def port_of(self, mode):
        return {"dot": self.dot, "doh": self.doh}.get(mode, self.port)


def output_of(argv):
    """First line that says a version, of whatever stream."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"[^\n]*\d+\.\d+[^\n]*", done.stdout + done.stderr)
    return found.group(0).strip() if found else ""


def find(program):
    return shutil.which(program, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")


def judged_server(name, binary, logs, work, index, users_file, version):
    """signet or unbound on the users' file: `unbound -d -c FILE`, laid out as Debian does."""
    s = Server(name, version, work, index)
    text = users_file
    for old, new in EXCHANGED:
        if text.count(old) != 1:
            raise SystemExit(f"the users' file does not hold {old.strip()!r} exactly once")
        text = text.replace(old, s.fill(new))
    if not logs:
        for line in LOG_LINES:
            if text.count(line) != 1:
                raise SystemExit(f"the users' file does not hold {line!r} exactly once")
            text = text.replace(line, line.replace("yes", "no"))
    conf_d = s.dir / "unbound.conf.d"
    conf_d.mkdir()
    (conf_d / "hardening.conf").write_text(text)
    s.users_text = text
    (conf_d / "zz-bench.conf").write_text(s.fill(BESIDE))
    (s.dir / "unbound.conf").write_text(f'include-toplevel: "{conf_d}/*.conf"\n')
    (s.dir / "root.key").write_bytes((work / "root.key").read_bytes())
    (s.dir / "root.key").chmod(0o666)
    (s.dir / "server.log").touch()
    (s.dir / "server.log").chmod(0o666)
    s.argv = [str(binary), "-d", "-c", str(s.dir / "unbound.conf")]
    s.log = s.dir / "server.log" if logs else None
    return s


def corefile_server(binary, work, index, corefile):
    """signet as coredns on the users' Corefile."""
    s = Server("signet Corefile", "as coredns", work, index)
    for old, new in COREFILE_EXCHANGED:
        if corefile.count(old) != 1:
            raise SystemExit(f"the users' Corefile does not hold {old.strip()!r} exactly once")
        corefile = corefile.replace(old, s.fill(new))
    head, block = corefile.split("{", 1)
    if head.strip() != ".:53":
        raise SystemExit("the users' Corefile does not begin with .:53 {")
    text = ""
    for kind, key in COREFILE_KEYS:
        tls = "" if kind == "port" else s.fill("\n    tls {work}/cert.pem {work}/key.pem")
        text += f"{s.fill(key)} {{{tls}{block if kind == 'port' else without_pages(block)}"
    (s.dir / "Corefile").write_text(text)
    s.argv = [str(binary), "-conf", str(s.dir / "Corefile")]
    s.modes = ("udp", "tcp", "dot", "doh")
    return s


def without_pages(block):
    """Health and readiness are told by one block of a server."""
    return re.sub(r"(?m)^    (health \{[^}]*\}|ready)\n", "", block)


def recursor(binary, work, index):
    found = re.search(r"PowerDNS Recursor [\d.]+", output_of([binary, "--version"]))
    s = Server("pdns_recursor", found.group(0) if found else "", work, index)
    (s.dir / "recursor.conf").write_text(s.fill(RECURSOR))
    s.argv = [binary, f"--config-dir={s.dir}"]
    s.modes = ("udp", "tcp")  # it serves no DoT
    return s


def dnsdist(binary, work, index):
    s = Server("dnsdist", output_of([binary, "--version"]), work, index)
    (s.dir / "dnsdist.conf").write_text(s.fill(DNSDIST))
    s.argv = [binary, "--supervised", "--disable-syslog", "-C", str(s.dir / "dnsdist.conf")]
    return s


def echo(mode, tools, work, index):
    s = Server(f"echo {mode}", "bench/echo.c", work, index)
    kind = "tls" if mode == "dot" else mode
    s.argv = [str(tools / "bench_echo"), kind, "127.0.0.1", str(s.port_of(mode))]
    if mode == "dot":
        s.argv += [str(work / "cert.pem"), str(work / "key.pem")]
    s.modes = (mode,)
    s.is_echo = True
    return s


def signet_pair(binary, work, users_file, index):
    """signet under the name it takes the place of, with and without the query log."""
    alias = work / "bin-signet"
    alias.mkdir()
    (alias / "unbound").symlink_to(binary)
    version = output_of([str(binary), "help"]) or output_of([str(binary), "--version"])
    return [judged_server(f"signet{tag}", alias / "unbound", logs, work, index + k, users_file,
                          version or str(binary))
            for k, (tag, logs) in enumerate((("", True), (" log off", False)))]


def unbound_pair(binary, work, users_file, index):
    """The packaged unbound likewise. It runs from a copy, because Debian's AppArmor profile for
    /usr/sbin/unbound does not let it read configurations of a benchmark."""
    copy = work / "bin-unbound"
    copy.mkdir()
    shutil.copy2(binary, copy / "unbound")
    version = output_of([binary, "-V"]).replace("Version ", "unbound ")
    pair = [judged_server(f"unbound{tag}", copy / "unbound", logs, work, index + k, users_file,
                          version)
            for k, (tag, logs) in enumerate((("", True), (" log off", False)))]
    for s in pair:  # two of them may not fight over one pid file
        with open(s.dir / "unbound.conf.d" / "zz-bench.conf", "a", encoding="ascii") as conf:
            conf.write('    pidfile: ""\n' + s.fill(UNBOUND_DOH))
        s.modes += ("doh",)
    return pair


def signet_corefile(binary, work, corefile, index):
    alias = work / "bin-coredns"
    alias.mkdir()
    (alias / "coredns").symlink_to(binary)
    return [corefile_server(alias / "coredns", work, index, corefile)]


def all_servers(signet, tools, work, files, say):
    """files: the users' unbound.conf and Corefile. Every server there is on this machine; says which are not."""
    servers = []
    if not signet.exists():
        say(f"skipped: signet ({signet} is not built)")
    elif b"__asan_init" in signet.read_bytes():
        say(f"skipped: signet ({signet} is a sanitizer build, its times say nothing)")
    else:
        servers += signet_pair(signet.resolve(), work, files[0], len(servers))
        servers += signet_corefile(signet.resolve(), work, files[1], len(servers))
    for name, make in (("unbound", lambda b, i: unbound_pair(b, work, files[0], i)),
                       ("pdns_recursor", lambda b, i: [recursor(b, work, i)]),
                       ("dnsdist", lambda b, i: [dnsdist(b, work, i)])):
        binary = find(name)
        if binary is None:
            say(f"skipped: {name} (not installed)")
        else:
            servers += make(binary, len(servers))
    for mode in ("udp", "tcp", "dot"):
        servers.append(echo(mode, Path(tools), work, len(servers)))
    return servers
