"""A world of its own for one test: two network namespaces, joined by a veth pair, and no way out.

  inside   the program under test and its clients; private /etc, /run, /var/log, /var/lib (bind mounts in a
           mount namespace), the test CA as the system's bundle, 127.0.0.1 as the only name server
  outside  "the internet": the test hosts at the guide's addresses, see hosts.py

Inside's default route leads outside, which forwards nothing: an address taken away there is a black hole for
new and standing connections alike. Every process in the two namespaces is killed when the world ends, or when
the test that made it dies (the holders read a pipe and reap at its end).
"""
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLONE_NEWNET = 0x40000000
GUIDE = {"1.1.1.1": "cloudflare", "1.0.0.1": "cloudflare", "9.9.9.9": "quad9", "149.112.112.112": "quad9"}
HARDENING = HERE / "data" / "hardening.conf"
BUNDLE = "etc/ssl/certs/ca-certificates.crt"
CONF_DIR = "/etc/unbound/unbound.conf.d"
ETC_COPIED = ("passwd", "group", "ld.so.cache", "ld.so.conf", "protocols", "services", "localtime", "ssl/openssl.cnf",
              "host.conf", "gai.conf")
ETC_SHOWN = "/etc/alternatives"      # the system's own: hundreds of links
PROBE_MS = 10        # every wait looks this often
START_MS = 15000     # a program that has not answered by then will not

# A holder keeps a namespace alive, and ends everything in it when its pipe closes.
HOLDER = """echo ready; read -r _; me=$(readlink /proc/self/ns/net)
for p in /proc/[0-9]*; do
  [ "${p#/proc/}" = $$ ] || [ "$(readlink "$p/ns/net" 2>/dev/null)" != "$me" ] || kill -9 "${p#/proc/}"
done 2>/dev/null"""

libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """This machine gives us no namespaces; the text says why."""


def refusal():
    """Why namespaces are refused here, or None. SIGNET_NO_NAMESPACES=1 plays a machine that refuses them."""
    if os.environ.get("SIGNET_NO_NAMESPACES") == "1":
        return "namespaces are switched off"
    if os.geteuid():
        return "namespaces need root"
    for tool in ("unshare", "nsenter", "ip", "openssl"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    done = subprocess.run(["unshare", "-n", "-m", "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"],
                          capture_output=True, text=True, check=False)
    return f"namespaces are refused: {done.stderr.strip()}" if done.returncode else None


def become_root():
    """Start the running script anew under sudo, where that needs no password; else go on as we are."""
    if os.geteuid() and shutil.which("sudo") and not subprocess.run(["sudo", "-n", "true"], capture_output=True,
                                                                    check=False).returncode:
        kept = "KEEP,TALLY,PYTHONDONTWRITEBYTECODE,SIGNET_UNDER_TEST,SIGNET_SANITIZED,SIGNET_NO_NAMESPACES"
        os.execvp("sudo", ["sudo", "-n", f"--preserve-env={kept}", sys.executable, *sys.argv])


def wait_for(check, seconds, what="the condition"):
    """Poll until check() gives something true; its value, or AssertionError."""
    end = time.monotonic() + seconds
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(PROBE_MS / 1000)


def program() -> Path:
    """The program under test: build/signet, or what SIGNET_UNDER_TEST names."""
    default = HERE.parents[1] / "build" / "signet"
    return Path(os.environ.get("SIGNET_UNDER_TEST", default)).resolve()


def service_user():
    """(uid, gid) the program gives root up to: signet, else unbound, else nobody."""
    import pwd
    for name in ("signet", "unbound", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534


class World:
    """See the module's text. `keys` is the folder made by keys.make()."""

    def __init__(self, keys: Path, hosts=None, keep=False):
        self.keys, self.keep = Path(keys), keep
        self.hosts_at = dict(GUIDE if hosts is None else hosts)
        self.dir = Path(tempfile.mkdtemp(prefix="signet-world-"))
        self.processes, self.control, self.ended = [], None, False
        try:
            self.inside = self.hold("-m")
            self.outside = self.hold()
            self.join()
            self.furnish()
        except BaseException:
            self.close()
            raise

    # --- making it -------------------------------------------------------------------------------------------

    def hold(self, *flags):
        stdin = subprocess.PIPE
        if self.keep:
            fifo = self.dir / "keep"
            if not fifo.exists():
                os.mkfifo(fifo)
            stdin = os.open(fifo, os.O_RDWR)
        holder = subprocess.Popen(["unshare", "-n", *flags, "sh", "-c", HOLDER], stdin=stdin, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        if holder.stdout.readline().strip() != "ready":
            raise Refused(f"namespaces are refused: {holder.stderr.read().strip()}")
        self.processes.append(holder)
        return holder

    def join(self):
        """The veth pair and the addresses."""
        lines = ["link set lo up", "link set in0 up", "addr add 192.0.2.1/30 dev in0",
                 "addr add fd00:2::1/64 dev in0 nodad", "route add default via 192.0.2.2",
                 "route add ::/0 via fd00:2::2"]
        self.ip(self.inside, [f"link add in0 type veth peer name out0 netns {self.outside.pid}"] + lines)
        lines = ["link set lo up", "link set out0 up", "addr add 192.0.2.2/30 dev out0",
                 "addr add fd00:2::2/64 dev out0 nodad"]
        self.ip(self.outside, lines + [self.address("add", a) for a in self.hosts_at])

    @staticmethod
    def address(verb, addr):
        nodad = " nodad" if ":" in addr and verb == "add" else ""
        return f"addr {verb} {addr}/{128 if ':' in addr else 32} dev lo{nodad}"

    def ip(self, holder, lines):
        done = subprocess.run(["nsenter", "-t", str(holder.pid), "-n", "ip", "-batch", "-"], capture_output=True,
                              input="\n".join(lines) + "\n", text=True, check=False)
        if done.returncode:
            raise Refused(f"ip: {done.stderr.strip()}")

    def furnish(self):
        """Private folders, bound over the system's."""
        etc = self.path("/etc")
        for name in ETC_COPIED:
            source = Path("/etc") / name
            (etc / name).parent.mkdir(parents=True, exist_ok=True)
            if source.exists():
                shutil.copy(source, etc / name)
        self.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:3 attempts:1\n")
        self.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
        self.write("/etc/hosts", "")
        self.write(BUNDLE, (self.keys / "ca.pem").read_text())
        self.write(f"{CONF_DIR}/hardening.conf", HARDENING.read_bytes())
        self.write("/etc/unbound/unbound.conf", f'include-toplevel: "{CONF_DIR}/*.conf"\n')
        self.write("/var/lib/unbound/root.key", (self.keys / "root.key").read_text())
        for folder in ("/var/log/unbound", "/run", "/bin"):
            self.path(folder).mkdir(parents=True, exist_ok=True)
        for owned in ("/var/lib/unbound", "/var/lib/unbound/root.key", "/var/log/unbound"):
            os.chown(self.path(owned), *service_user())
        binds = [f"mount --rbind {self.path(p)} {p}" for p in ("/etc", "/run", "/var/log", "/var/lib")]
        if Path(ETC_SHOWN).is_dir():
            self.path(ETC_SHOWN).mkdir()
            binds.insert(0, f"mount --bind {ETC_SHOWN} {self.path(ETC_SHOWN)}")
        done = self.enter(["sh", "-ec", "\n".join(binds)], capture_output=True, text=True)
        if done.returncode:
            raise Refused(f"mounts are refused: {done.stderr.strip()}")

    # --- files -----------------------------------------------------------------------------------------------

    def path(self, inner) -> Path:
        """Where a file of the inside (/etc, /run, /var/log, /var/lib) stands for the test."""
        return self.dir / str(inner).lstrip("/")

    def write(self, inner, data, mode=0o644):
        path = self.path(inner)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        path.chmod(mode)
        return path

    def read(self, inner) -> str:
        path = self.path(inner)
        return path.read_text(errors="replace") if path.exists() else ""

    def borrowed(self, name) -> Path:
        """The program under test, under a borrowed name."""
        link = self.dir / "bin" / name
        if not link.exists():
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(program())
        return link

    # --- processes -------------------------------------------------------------------------------------------

    def argv(self, args, cwd="/"):
        return ["nsenter", "-t", str(self.inside.pid), "-n", "-m", "sh", "-c", 'cd "$0" && exec "$@"', str(cwd),
                *map(str, args)]

    def enter(self, args, cwd="/", **options):
        """Run a command inside to its end."""
        options.setdefault("timeout", 60)
        return subprocess.run(self.argv(args, cwd), check=False, **options)

    def run(self, *args, **options):
        """Its output as text."""
        return self.enter(args, capture_output=True, text=True, **options)

    def popen(self, args, cwd="/", **options):
        process = subprocess.Popen(self.argv(args, cwd), start_new_session=True, **options)
        self.processes.append(process)
        return process

    @contextlib.contextmanager
    def net(self, holder=None):
        """This thread's new sockets belong to the inside."""
        with open(f"/proc/{threading.get_native_id()}/ns/net", "rb") as home, \
                open(f"/proc/{(holder or self.inside).pid}/ns/net", "rb") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(home.fileno(), CLONE_NEWNET)

    def pids(self, holder=None):
        """Every process in a namespace, its holder left out."""
        holder = holder or self.inside
        mine = os.stat(f"/proc/{holder.pid}/ns/net").st_ino
        found = []
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if entry.isdigit() and int(entry) != holder.pid and os.stat(f"/proc/{entry}/ns/net").st_ino == mine:
                    found.append(int(entry))
        return found

    # --- the hosts -------------------------------------------------------------------------------------------

    def hosts_options(self):
        """More words for the hosts' configuration."""
        return {}

    def outside_argv(self, args):
        return ["nsenter", "-t", str(self.outside.pid), "-n", *args]

    def start_hosts(self, rules=()):
        path = str(self.dir / "control")
        config = {"keys": str(self.keys), "control": path, "hosts": self.hosts_at, **self.hosts_options()}
        out = open(self.dir / "hosts.log", "wb")
        process = subprocess.Popen(self.outside_argv([sys.executable, str(HERE / "hosts.py"), json.dumps(config)]),
                                   stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        out.close()
        self.processes.append(process)
        self.control = socket.socket(socket.AF_UNIX)

        def connect():
            if process.poll() is not None:
                raise AssertionError(f"the test hosts died: {(self.dir / 'hosts.log').read_text()}")
            with contextlib.suppress(OSError):
                self.control.connect(path)
                return True
            return False
        wait_for(connect, 20, "the test hosts")
        self.control = self.control.makefile("rwb")
        if rules:
            self.rules(*rules)
        return self

    def tell(self, do, **ask):
        """One command to the hosts, and its result."""
        self.control.write(json.dumps({"do": do, **ask}).encode() + b"\n")
        self.control.flush()
        got = json.loads(self.control.readline())
        if "error" in got:
            raise AssertionError(f"hosts: {got['error']}")
        return got["ok"]

    def rules(self, *rows):
        self.tell("rules", rules=list(rows))

    def counts(self):
        return self.tell("counts")

    def blackhole(self, *addrs):
        """Packets to these addresses vanish, on standing connections too."""
        self.ip(self.outside, [self.address("del", a) for a in addrs])

    def revive(self, *addrs):
        self.ip(self.outside, [self.address("add", a) for a in addrs])

    # --- the end ---------------------------------------------------------------------------------------------

    def close(self):
        if self.ended:
            return
        self.ended = True
        for holder in self.processes[:2]:
            with contextlib.suppress(OSError):
                for pid in self.pids(holder):
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
        for process in reversed(self.processes):
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe and not pipe.closed:
                    pipe.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.keep:
            self.close()
