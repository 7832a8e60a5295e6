#!/usr/bin/python3
"""See it work: the users' hardening.conf, unchanged, answers dig over authenticated TLS.

Plays the file in a network namespace of its own against test hosts at the addresses it names. Where namespaces
are refused it says so, and runs the same file on port 5300 with upstreams at 127.0.1.x, printing the lines that
changed. No network is used. Exit status 0: everything held. KEEP=1 leaves it running and says how to enter.
"""
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "test" / "peer"))
import keys as keys_of  # noqa: E402
import ns  # noqa: E402
from server import LOG, Server  # noqa: E402

METRICS_PORT = 9153
FLAT_PORT, FLAT_TLS = 5300, 8853
FLAT_HOSTS = {"127.0.1.1": "cloudflare", "127.0.1.2": "cloudflare", "127.0.1.3": "quad9", "127.0.1.4": "quad9"}
RECOVERY_S = 10
SHOWN = re.compile(r"status:|^;; flags|EDE|^[^;\s].*\sIN\s")


class Flat(ns.World):
    """The same files and hosts without namespaces: own ports, own addresses of loopback."""

    def __init__(self, keys, keep=False):
        self.keys, self.keep, self.hosts_at = Path(keys), keep, FLAT_HOSTS
        self.dir = Path(tempfile.mkdtemp(prefix="signet-demo-"))
        self.dir.chmod(0o755)
        self.processes, self.control, self.ended = [], None, False
        for folder in ("etc", "run", "var/log/unbound", "var/lib/unbound"):
            self.path(folder).mkdir(parents=True)
        self.write(ns.BUNDLE, (self.keys / "ca.pem").read_text())
        self.write("/var/lib/unbound/root.key", (self.keys / "root.key").read_text())
        self.changed = self.adapt()
        self.write("/etc/unbound/unbound.conf", f'include-toplevel: "{self.path(ns.CONF_DIR)}/*.conf"\n')
        if os.geteuid() == 0:
            for owned in ("/var/lib/unbound", "/var/lib/unbound/root.key", "/var/log/unbound"):
                os.chown(self.path(owned), *ns.service_user())

    def adapt(self):
        """Write hardening.conf with what must differ; [(old line, new line)]."""
        out, changed, hosts = [], [], iter(self.hosts_at)
        for line in ns.HARDENING.read_text().splitlines():
            new = line.replace("port: 53", f"port: {FLAT_PORT}")
            new = new.replace("do-not-query-localhost: yes", "do-not-query-localhost: no")
            for folder in ("/var/lib", "/var/log", "/etc/ssl"):
                new = new.replace(folder, str(self.path(folder)))
            match = re.match(r"(\s*forward-addr: )\S+(#\S+)", new)
            if match:
                new = f"{match.group(1)}{next(hosts)}@{FLAT_TLS}{match.group(2)}"
            out.append(new)
            if new != line:
                changed.append((line.strip(), new.strip()))
        self.write(f"{ns.CONF_DIR}/hardening.conf", "\n".join(out) + "\n")
        return changed

    def argv(self, args, cwd="/"):
        inner = self.path(cwd) if str(cwd).startswith("/etc") else cwd
        return ["sh", "-c", 'cd "$0" && exec "$@"', str(inner), *map(str, args)]

    def outside_argv(self, args):
        return args

    def hosts_options(self):
        return {"sniff": False, "ports": {"udp": FLAT_PORT + 53, "tcp": FLAT_PORT + 53, "tls": FLAT_TLS}}

    @contextlib.contextmanager
    def net(self, holder=None):
        yield

    def pids(self, holder=None):
        return []


class Demo:
    """The steps, and whether each held."""

    def __init__(self, world, server, port):
        self.world, self.server, self.port, self.failed, self.count = world, server, port, 0, 0

    def check(self, held, text):
        self.count += 1
        self.failed += not held
        print(f"  {'✓' if held else '✗'} {text}", flush=True)
        return held

    def dig(self, *args):
        """Run dig inside, print its command and the lines that matter."""
        place = [] if self.port == 53 else ["@127.0.0.1", "-p", str(self.port)]
        command = ["dig", *place, "+tries=1", "+timeout=12", *args]
        done = self.world.run(*command)
        print("\n  $ dig " + " ".join([*place, *args]))
        for line in done.stdout.splitlines():
            if SHOWN.search(line):
                print("    " + (line if len(line) < 110 else line[:107] + "..."))
        return done.stdout

    def answers(self):
        out = self.dig("+dnssec", "www.secure", "A")
        self.check("status: NOERROR" in out and "198.51.100.80" in out,
                   "a positive answer, over TLS from a checked host")
        self.check("RRSIG" in out, "its signature comes along")
        proves = not self.server.lines("(does|do) not (yet )?validate|no validation|without validation")
        has_ad = bool(re.search(r"flags:[^;]* ad[ ;]", out))
        if proves:
            self.check(has_ad, "the answer is proven: AD is set")
            out = self.dig("+dnssec", "www.forged", "A")
            self.check("status: SERVFAIL" in out, "a forged answer is refused")
        else:
            self.check(not has_ad, "no proof of answers yet, said in the log at start: AD is not set")
        out = self.dig("www.unsigned.com", "A")
        self.check("status: NOERROR" in out and not re.search(r"flags:[^;]* ad[ ;]", out),
                   "an unsigned answer, without AD")
        self.world.rules({"name": "nothing.unsigned.com", "rcode": 3})
        out = self.dig("nothing.unsigned.com", "A")
        self.check("status: NXDOMAIN" in out and "SOA" in out, "a negative answer with its SOA")

    def wrong_name(self):
        self.world.tell("cert", cert={addr: "wrong" for addr in self.world.hosts_at})
        asked = sum(self.world.counts()["questions"].values())
        out = self.dig("www.intercepted.com", "A")
        self.check("status: SERVFAIL" in out, "hosts with a certificate for another name are refused")
        self.check(bool(re.search("EDE: 2[23]", out)), "the answer says why")
        self.check(sum(self.world.counts()["questions"].values()) == asked, "no question was told to them")
        told = [line for line in self.server.lines("(?i)certificate|handshake|tls")
                if " query: " not in line and " reply: " not in line]
        self.check(bool(told), "the log names the cause:")
        for line in told[-1:]:
            print(f"      {line[:150]}")
        self.world.tell("cert", cert=self.world.hosts_at)
        start, good = time.monotonic(), False
        while not good and time.monotonic() - start < RECOVERY_S:
            good = "status: NOERROR" in self.world.run(
                "dig", *([] if self.port == 53 else ["@127.0.0.1", "-p", str(self.port)]), "+tries=1", "+timeout=1",
                f"n{time.monotonic_ns()}.back.com").stdout
        self.check(good, f"right certificates again: answers again after {time.monotonic() - start:.1f} s")

    def plaintext(self):
        counts = self.world.counts()
        if counts["packets"]:
            packets = counts["packets"]
            self.check(packets["53"] == 0 and packets["853"] > 0,
                       f"packets to the upstreams: port 853 {packets['853']}, port 53 {packets['53']}")
        self.check(set(counts["by_proto"]) == {"tls"}, f"every question went over TLS: {dict(counts['by_proto'])}")

    def log(self):
        lines = [line for line in self.server.log().splitlines() if "www.unsigned.com." in line]
        print("\n  the log:")
        for line in lines:
            print("    " + line)
        self.check(any(" query: " in line for line in lines) and any(" reply: " in line for line in lines),
                   "questions and replies are logged as unbound logs them")

    def metrics(self):
        from urllib.error import URLError
        from urllib.request import ProxyHandler, build_opener
        url = f"http://127.0.0.1:{METRICS_PORT}/metrics"
        page = ""
        with self.world.net(), contextlib.suppress(URLError, OSError):
            page = build_opener(ProxyHandler({})).open(url, timeout=5).read().decode()
        print(f"\n  $ curl {url}")
        shown = re.compile(r"signet_(queries|answers|cache_hits|cache_misses)")
        for line in [m for m in page.splitlines() if shown.match(m)][:8]:
            print("    " + line)
        self.check(bool(re.search(r"^signet_queries_total\S* [1-9]", page, re.M)), "metrics over HTTP")


def run(world, port):
    """Start the program and go through the steps; the number that did not hold."""
    world.start_hosts()
    if ns.program().name != "unbound":      # the packaged program, as a check of the demo, knows no such clause
        world.write(f"{ns.CONF_DIR}/metrics.conf", f"signet:\n    metrics: 127.0.0.1@{METRICS_PORT}\n")
    start = time.monotonic()
    server = Server(world, file="unbound.conf", folder="/etc/unbound", port=port)
    demo = Demo(world, server, port)
    demo.check(True, f"`unbound -d -c unbound.conf` serves after {(time.monotonic() - start) * 1000:.0f} ms; "
                     "conf.d holds hardening.conf and metrics.conf")
    if port == 53:
        demo.check(world.path(f"{ns.CONF_DIR}/hardening.conf").read_bytes() == ns.HARDENING.read_bytes(),
                   "hardening.conf is byte for byte the users' file")
    demo.answers()
    demo.wrong_name()
    demo.metrics()
    demo.log()
    demo.plaintext()
    print(f"\n{demo.count - demo.failed} of {demo.count} held")
    if demo.failed:
        print(f"\nlast lines of the log:\n{server.log(LOG)[-1500:]}{server.stderr()[-1500:]}")
    return demo.failed


def farewell(world):
    if isinstance(world, Flat):
        print(f"\nIt goes on: dig @127.0.0.1 -p {FLAT_PORT} www.secure"
              f"\nEnd it: kill {' '.join(str(p.pid) for p in world.processes)}; rm -r {world.dir} {world.keys}")
        return
    print(f"\nIt goes on. Enter: nsenter -t {world.inside.pid} -n -m   (then dig www.secure, or tail -f {LOG})"
          f"\nEnd it: printf '\\n\\n' > {world.dir}/keep; rm -r {world.dir} {world.keys}")


def main():
    ns.become_root()
    keep = os.environ.get("KEEP") == "1"
    if not ns.program().exists():
        print(f"{ns.program()} is not there: run make first", file=sys.stderr)
        return 2
    version = subprocess.run([ns.program(), "-V"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    print(f"signet demo: {ns.program().name} {version}".rstrip())
    keys = keys_of.make(Path(tempfile.mkdtemp(prefix="signet-keys-")))
    why = ns.refusal()
    if why is None:
        world, port = ns.World(keys, keep=keep), 53
        print("  in a network namespace of its own, upstreams at " + ", ".join(world.hosts_at))
    else:
        world, port = Flat(keys, keep=keep), FLAT_PORT
        print(f"  {why}: on port {FLAT_PORT} instead; what changed in hardening.conf:")
        for old, new in world.changed:
            print(f"    - {old}\n    + {new}")
    failed = 1
    try:
        failed = run(world, port)
    except (AssertionError, OSError) as e:
        print(f"  ✗ {e}")
    finally:
        if keep:
            farewell(world)
        else:
            world.close()
            subprocess.run(["rm", "-r", str(keys)], check=False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
