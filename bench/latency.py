"""How long a first answer takes: each program started anew, one question, over a line on which every
packet takes its time, handshakes too (relay.c). And what an answer that was proved takes to keep."""
import os
import re
import socket
import statistics
import struct
import subprocess
import time
from pathlib import Path

import measure
import peers

ONE_WAY_MS = 10
PATIENCE_S = 5.0
PROVED = ("www.deep.signed", True)     # root, signed., deep.signed.: three zones
PLAIN = ("h000001.d001.bench", False)  # below a delegation without DS
RESOLVERS = (("dot", "over DoT, from nothing"), ("udp", "over UDP"))


class Line:
    """The upstream host in a namespace of its own, at the far end of the line."""

    def __init__(self, tools, work, start):
        self.started = []
        for addr in peers.UPSTREAMS:
            subprocess.run(["ip", "addr", "del", addr + "/32", "dev", "lo"], check=True)
        far = self.keep(subprocess.Popen(["unshare", "--net", "sleep", "600"]))
        wait_for(lambda: os.readlink(f"/proc/{far.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        relay = self.keep(subprocess.Popen(
            [str(tools / "bench_relay"), str(ONE_WAY_MS), str(far.pid), ",".join(peers.UPSTREAMS)],
            stdout=subprocess.PIPE))
        if relay.stdout.readline() != b"ready\n":
            raise OSError("the relay does not start")
        self.keep(start(["nsenter", f"--net=/proc/{far.pid}/ns/net", tools / "bench_upstream", "0.0.0.0",
                         853, work / "cert.pem", work / "key.pem", work / "root.key"]))
        wait_for(reachable)

    def keep(self, process):
        self.started.append(process)
        return process

    def end(self):
        for process in reversed(self.started):
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def wait_for(check):
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        if time.monotonic() > deadline:
            raise OSError("the line does not stand")
        time.sleep(0.02)


def reachable():
    try:
        socket.create_connection((peers.UPSTREAMS[0], 853), 1).close()
        return True
    except OSError:
        return False


def question(name):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack("!6H", 4711, 0x0120, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def ask(port, name, want_ad):
    """Milliseconds until the answer; None when it is not the one wanted."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(PATIENCE_S)
        s.connect(("127.0.0.1", port))
        begun = time.monotonic()
        s.send(question(name))
        try:
            answer = s.recv(4096)
        except OSError:
            return None
        took = 1000 * (time.monotonic() - begun)
    flags, answers = struct.unpack_from("!2xH2xH", answer)
    good = answers > 0 and flags & 15 == 0 and bool(flags & 0x20) == want_ad
    return took if good else None


def over(server, kind, proving):
    """The same file with the upstreams asked over UDP, or without validation."""
    conf = server.dir / "unbound.conf.d" / "hardening.conf"
    text = server.users_text
    if kind == "udp":
        text = re.sub(r"@853#\S+", "", text).replace("forward-tls-upstream: yes", "forward-tls-upstream: no")
    if not proving:
        text = re.sub(r"^.*auto-trust-anchor-file.*\n", "", text, flags=re.M)
    conf.write_text(text)
    (server.dir / "root.key").write_bytes((server.dir.parent / "root.key").read_bytes())


def first_answers(server, how, times, control):
    """Medians in ms of a first answer, and the answers that were not those wanted."""
    kind, (name, ad), proving = how
    over(server, kind, proving)
    took = []
    for _ in range(times):
        control.start(server)
        if control.wait(server):
            took.append(ask(server.port, name, ad and proving))
        control.stop(server)
    good = [t for t in took if t is not None]
    return {"ms": statistics.median(good) if good else None, "failed": len(took) - len(good)}


def measure_first(servers, times, control):
    """rows[(transport, question)][server]"""
    rows = {}
    for kind, _ in RESOLVERS:
        for what, how in (("proved", (kind, PROVED, True)), ("unsigned", (kind, PLAIN, True)),
                          ("not proved", (kind, PROVED, False))):
            for s in servers:
                rows.setdefault(f"{kind} {what}", {})[s.name] = first_answers(s, how, times, control)
    return rows


def print_first(rows, servers, say):
    say(f"\nFirst answer of a program just started, a round trip takes {2 * ONE_WAY_MS} ms, median in ms")
    say("  " + " " * 34 + "".join(f"{s.name:>18}" for s in servers))
    titles = {"proved": "proved, three zones", "unsigned": "below an unsigned delegation",
              "not proved": "without validation"}
    for key, row in rows.items():
        kind, _, what = key.partition(" ")
        cells = "".join(f"{'-' if row[s.name]['ms'] is None else format(row[s.name]['ms'], '.1f'):>18}"
                        for s in servers)
        say(f"  {kind.upper():4}{titles[what]:30}{cells}")
        for s in servers:
            if row[s.name]["failed"]:
                say(f"      {s.name}: {row[s.name]['failed']} answers were not those wanted")


# ---- memory ----

def keep_conf(server):
    """Room for all that is asked: what is measured is what an answer takes, not the budget."""
    conf = server.dir / "unbound.conf.d" / "zz-bench.conf"
    conf.write_text(conf.read_text(encoding="ascii") +
                    "server:\n    msg-cache-size: 24m\n    rrset-cache-size: 24m\n", encoding="ascii")


def bytes_per_answer(server, tools, core, names):
    """Pss that `names` proved answers add, each; the way there is warm before."""
    load = ["-c", 4, "-w", 25, "-o", "-s"]
    warm = measure.turn(server, tools, core, [*load, "-f", 0, "-n", 2000, "udp", "127.0.0.1", server.port])
    before = measure.memory_kb(server)
    done = measure.turn(server, tools, core, [*load, "-f", 5000, "-n", names, "udp", "127.0.0.1", server.port])
    after = measure.memory_kb(server)
    if "failed" in warm or "failed" in done:
        return {"failed": warm.get("failed") or done.get("failed")}
    return {"bytes": 1024 * (after - before) / done["answered"], "answers": done["answered"]}

