#!/usr/bin/env python3
"""make bench: signet beside unbound, pdns_recursor, dnsdist and the echo floors.

All servers are kept up together and measured in short turns, one after the other, in an order that
rotates from round to round; ratios are taken within a round and the median of the rounds is
printed. See README.md for what is measured and how."""
import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import latency
import measure
import peers
import pod

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LOAD_CORE, SERVER_CORE = 0, 1
DEADLINE_S = 330  # no new round is begun after this
KILL_S = 600
WARM_NAMES = 1000
COLD_FIRST = 10000  # names below are the warm ones

# workload: (transport, title, arguments of bench_load)
WORKLOADS = {
    "udp": ("udp", "UDP, cached", ["-c", 4, "-w", 25]),
    "tcp": ("tcp", "TCP, cached, 10 pipelined connections", ["-c", 10, "-w", 10]),
    "dot": ("dot", "DoT, cached, 10 pipelined connections", ["-c", 10, "-w", 10]),
    "doh": ("doh", "DoH, cached, 10 connections of 10 streams", ["-c", 10, "-w", 10]),
    "cold": ("udp", "UDP, cold, each name fetched over DoT", ["-c", 4, "-w", 25, "-o", "-W", 40]),
    "proof": ("udp", "UDP, cold, each name fetched over DoT and proved (P-256, one zone)",
              ["-c", 4, "-w", 25, "-o", "-W", 40, "-s"]),
    "flood": ("udp", "UDP, names that do not exist below a signed zone", ["-c", 4, "-w", 25, "-x"]),
    "cluster": ("udp", "UDP, services of a cluster", ["-c", 4, "-w", 25, "-k"]),
    "ndots": ("udp", "UDP, names of the world behind a pod's search list: not in the cluster",
              ["-c", 4, "-w", 25, "-k", "-x"]),
}
CLUSTER = ("cluster", "ndots")       # asked of a server in a pod
COLD = ("cold", "proof")             # each name once: no floor to compare with
APART = ("first", "memory")          # measured apart, one server at a time
PROVING = ("signet", "unbound")      # with or without their log: servers that prove what they answer
COREFILE = "signet Corefile"         # its log has no lines for what is well
# workload, server, the one it is compared with, target ratio
TARGETS = (
    ("udp", "signet log off", "echo udp", 1.35),
    ("udp", "signet", "echo udp", 1.60),
    ("tcp", "signet", "unbound", 0.60),
    ("tcp", "signet log off", "unbound log off", 0.60),
    ("dot", "signet", "unbound", 0.65),
    ("dot", "signet log off", "unbound log off", 0.65),
    ("udp", COREFILE, "echo udp", 1.35),
    ("dot", COREFILE, "unbound log off", 0.65),
    ("doh", COREFILE, "unbound log off", 0.65),
    ("proof", "signet", "unbound", 0.75),
    ("flood", "signet log off", "echo udp", 1.60),
    ("flood", "signet", "echo udp", 1.60),
    ("cluster", pod.NAME, "echo udp", 1.30),
    ("ndots", pod.NAME, "echo udp", 1.30),
)
FIRST_TARGETS = (("dot proved", 80), ("udp proved", 45))
KEPT_TARGET_BYTES = 400
FLOOD_WARM = 800  # two names in each domain: all denials are known
IDLE_TARGET_MB = 8.0


def say(text=""):
    print(text, flush=True)


def parse_args():
    p = argparse.ArgumentParser(description="Compares signet with its peers, side by side.")
    p.add_argument("--quick", action="store_true", help="under a minute: 3 short rounds")
    p.add_argument("--rounds", type=int, help="rounds (default 10, quick 3)")
    p.add_argument("--ms", type=int, help="length of a turn in ms (default 700, quick 200)")
    p.add_argument("--json", metavar="FILE", help="also write every turn and the summary here")
    p.add_argument("--build", default=ROOT / "build", type=Path, help="build folder of the tools")
    p.add_argument("--signet", type=Path, help="the program (default BUILD/signet)")
    p.add_argument("--conf", type=Path, default=ROOT / "test/peer/data/hardening.conf",
                   help="the users' file to judge by")
    p.add_argument("--corefile", type=Path, default=ROOT / "test/peer/data/corefile/16-hardened.Corefile",
                   help="the users' Corefile to judge by")
    p.add_argument("--only", help="rows, separated by commas: " + ",".join((*WORKLOADS, *APART)))
    p.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    args = p.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 10)
    args.ms = args.ms or (200 if args.quick else 700)
    args.cold_names = 500 if args.quick else 1000
    args.signet = args.signet or args.build / "signet"
    args.starts = 3 if args.quick else 7
    args.kept_names = 30000
    rows = args.only.split(",") if args.only else [*WORKLOADS, *APART]
    if not 1 <= args.rounds <= 50 or not 50 <= args.ms <= 5000 or set(rows) - {*WORKLOADS, *APART}:
        p.error("1 to 50 rounds of 50 to 5000 ms of " + ", ".join((*WORKLOADS, *APART)))
    args.only = [w for w in WORKLOADS if w in rows]
    args.apart = [w for w in APART if w in rows]
    return args


def enter(args):
    """Run this program again in namespaces of its own: whatever it starts ends with it."""
    if os.geteuid() != 0:
        say("bench: needs root for a network namespace of its own; try sudo make bench")
        return 3
    work = Path(tempfile.mkdtemp(prefix="signet-bench-"))
    argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
            "--propagation", "private", sys.executable, *sys.argv, "--inside", str(work)]
    try:
        return subprocess.run(argv, timeout=KILL_S, check=False).returncode
    except subprocess.TimeoutExpired:
        say(f"bench: ended after {KILL_S} s")
        return 3
    finally:
        shutil.rmtree(work, ignore_errors=True)


def make_world(work):
    """The namespace's network, a tmpfs for logs, and a CA with one server certificate."""
    quiet = {"check": True, "capture_output": True}
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(work)], **quiet)
    subprocess.run(["ip", "link", "set", "lo", "up"], **quiet)
    for addr in peers.UPSTREAMS:
        subprocess.run(["ip", "addr", "add", addr + "/32", "dev", "lo"], **quiet)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    subprocess.run(["openssl", "req", "-x509", *key, "-keyout", work / "ca.key", "-out",
                    work / "ca.pem", "-subj", "/CN=bench CA"], **quiet)
    names = ",".join("DNS:" + n for n in peers.TLS_NAMES)
    subprocess.run(["openssl", "req", "-x509", *key, "-CA", work / "ca.pem", "-CAkey",
                    work / "ca.key", "-keyout", work / "key.pem", "-out", work / "cert.pem",
                    "-subj", "/CN=bench", "-addext", "subjectAltName=" + names, "-addext",
                    "basicConstraints=critical,CA:FALSE"], **quiet)
    (work / "key.pem").chmod(0o644)


def start(argv, core, out):
    return subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out,
                            stderr=subprocess.STDOUT,
                            preexec_fn=lambda: os.sched_setaffinity(0, {core}))


def start_upstream(tools, work):
    """The DoT host at the addresses the users' file names; beside the load, its CPU is not counted."""
    argv = [tools / "bench_upstream", "0.0.0.0", 853, work / "cert.pem", work / "key.pem",
            work / "root.key"]
    process = start(argv, LOAD_CORE, None)
    for _ in range(100):
        try:
            socket.create_connection((peers.UPSTREAMS[0], 853), 1).close()
            return process
        except OSError:
            time.sleep(0.05)
    raise SystemExit("bench: the upstream host does not start")


def server_start(s):
    with open(s.dir / "stdout", "wb") as out:
        s.process = start(s.argv, SERVER_CORE, out)


def server_stop(s):
    s.process.terminate()
    try:
        s.process.wait(5)
    except subprocess.TimeoutExpired:
        s.process.kill()
        s.process.wait()


def is_bound(table, port, states):
    """A socket of the table stands at the port itself: connections to it, and old ones that linger, are none."""
    rows = [line.split() for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] in states for row in rows)


def server_listens(s):
    """Its ports are taken: found in /proc/net, without a question."""
    udp, tcp = is_bound("udp", s.port, ("07", "01")), is_bound("tcp", s.port_of(s.modes[0]), ("0A",))
    if len(s.modes) == 1:
        return udp if s.modes[0] == "udp" else tcp
    return udp and is_bound("tcp", s.port, ("0A",))


def server_wait(s):
    """Looks often: what a program does between its start and its first question must not be a matter of chance."""
    for _ in range(5000):
        if s.process.poll() is not None:
            return False
        if server_listens(s):
            return True
        time.sleep(0.002)
    return False


def server_complain(s):
    tail = b""
    for name in ("stdout", "server.log"):
        if (s.dir / name).exists():
            tail += (s.dir / name).read_bytes()[-400:]
    say(f"skipped: {s.name} (does not serve): {tail.decode(errors='replace').strip()}")


def answers(s, tools):
    """A few names of its world are answered within the time a slow start needs."""
    if s.is_echo:
        return True
    for _ in range(20):
        done = measure.turn(s, tools, LOAD_CORE, [*(["-k"] if s.name == pod.NAME else []), "-c", 1, "-w", 1, "-n", 3,
                                                  "-t", 20, "udp", "127.0.0.1", s.port])
        if done.get("records"):
            return True
        time.sleep(0.25)
    return False


def measure_idle(servers, quick):
    """Memory before the first question, of each program alone, so that nothing is shared."""
    idle = {}
    for s in servers:
        if s.is_echo or s.name.endswith("log off"):
            continue
        server_start(s)
        if server_wait(s):
            time.sleep(0.7 if quick else 1.5)
            idle[s.name] = measure.memory_kb(s) / 1024
        server_stop(s)
    return idle


def start_all(servers, tools):
    up = []
    for s in servers:
        server_start(s)
    for s in servers:
        if server_wait(s) and answers(s, tools):
            up.append(s)
        else:
            server_complain(s)
            server_stop(s)
    return up


def load_args(args, workload, server, number):
    mode, _, options = WORKLOADS[workload]
    if workload in COLD:
        names = ["-f", COLD_FIRST + number * args.cold_names, "-n", args.cold_names]
    elif workload == "flood":
        names = ["-f", number * 20000, "-n", 50000, "-W", FLOOD_WARM, "-t", args.ms]
    else:
        names = ["-f", 0, "-n", WARM_NAMES, "-t", args.ms]
    return [*options, *names, mode, "127.0.0.1", server.port_of(mode)]


def is_able(s, workload):
    if workload in COLD and s.is_echo or WORKLOADS[workload][0] not in s.modes:
        return False
    if (workload in CLUSTER) != (s.name == pod.NAME) and not s.is_echo:
        return False
    if s.is_echo or s.name == pod.NAME or workload not in ("proof", "flood"):
        return True
    return s.name.startswith(PROVING) and s.name != COREFILE


def measure_all(args, servers):
    """turns[workload][server] = one entry a round."""
    begun = time.monotonic()
    turns = {w: {} for w in args.only}
    for number in range(args.rounds):
        if time.monotonic() - begun > DEADLINE_S:
            say(f"stopped after {number} rounds: {DEADLINE_S} s are over")
            break
        for workload in args.only:
            able = [s for s in servers if is_able(s, workload)]
            k = number % len(able)
            for s in able[k:] + able[:k]:
                done = measure.turn(s, args.build / "bench", LOAD_CORE,
                                    load_args(args, workload, s, number))
                turns[workload].setdefault(s.name, []).append(done)
    return turns


def good(turn):
    return "failed" not in turn


def median_ratio(turns, name, base):
    """Median of the ratios within each round in which both turns count."""
    pairs = zip(turns.get(name, ()), turns.get(base, ()))
    ratios = [a["us_per_q"] / b["us_per_q"] for a, b in pairs if good(a) and good(b)]
    return statistics.median(ratios) if ratios else None


def summary_row(turns, name):
    ok = [t for t in turns[name] if good(t)]
    reasons = sorted({t["failed"] for t in turns[name] if not good(t)})
    row = {"turns": len(turns[name]), "counted": len(ok), "failed": reasons}
    if ok:
        row["us_per_q"] = statistics.median(t["us_per_q"] for t in ok)
        row["kqps"] = statistics.median(1000 * t["answered"] / t["us"] for t in ok)
        row["busy"] = statistics.median(t["busy"] for t in ok)
        row["lost"] = sum(t["lost"] for t in ok)
    return row


def cell(value, form):
    return "-" if value is None else format(value, form)


def print_workload(workload, turns, summary):
    floor = "echo " + WORKLOADS[workload][0]
    say(f"\n{WORKLOADS[workload][1]}")
    say(f"  {'':18}{'us/q':>8}{'x echo':>9}{'x unbound':>11}{'kq/s':>8}{'busy':>7}{'lost':>6}"
        f"{'turns':>8}")
    for name, row in summary.items():
        base = "unbound" if name in ("signet", "unbound") else "unbound log off"
        row["x_echo"] = median_ratio(turns, name, floor)
        row["x_unbound"] = None if name == floor else median_ratio(turns, name, base)
        busy = row.get("busy")
        say(f"  {name:18}{cell(row.get('us_per_q'), '.2f'):>8}{cell(row['x_echo'], '.2f'):>9}"
            f"{cell(row['x_unbound'], '.2f'):>11}{cell(row.get('kqps'), '.0f'):>8}"
            f"{cell(busy and 100 * busy, '.0f'):>6}%{row.get('lost', 0):>6}"
            f"{row['counted']:>5}/{row['turns']}")
        for why in row["failed"][:3]:
            say(f"      a turn does not count: {why}")


def print_memory(idle, after):
    say("\nMemory, Pss over all processes, MB")
    say(f"  {'':18}{'idle':>8}{'after':>9}")
    for name, mb in after.items():
        say(f"  {name:18}{cell(idle.get(name), '.1f'):>8}{mb:>9.1f}")


def apart_verdicts(first, kept):
    for key, limit in FIRST_TARGETS:
        yield f"ms {key}, signet", first.get(key, {}).get("signet log off", {}).get("ms"), limit
    yield "B per proved answer kept, signet", kept.get("signet log off", {}).get("bytes"), KEPT_TARGET_BYTES


def print_targets(turns, idle, first, kept):
    """Each target with what was measured: met, missed, or not measured."""
    say("\nTargets")
    verdicts = []
    for workload, name, base, limit in TARGETS:
        got = median_ratio(turns.get(workload, {}), name, base)
        verdicts.append((f"{workload} {name} / {base}", got, limit))
    logged = [t.get("log_lost", 0) for rows in turns.values() for t in rows.get("signet", ())]
    verdicts.append(("log lines lost, signet", float(sum(logged)) if logged else None, 0))
    verdicts.append(("idle MB signet", idle.get("signet"), IDLE_TARGET_MB))
    verdicts += apart_verdicts(first, kept)
    for what, got, limit in verdicts:
        verdict = "not measured" if got is None else "met" if got <= limit else "missed"
        say(f"  {what:42}{cell(got, '.2f'):>7}  <= {limit:<5} {verdict}")
    return [{"what": w, "got": g, "limit": m} for w, g, m in verdicts]


def minus(a, b):
    return None if a is None or b is None else a - b


def print_trade_offs(summary, turns, first):
    """What the guide's table says in words: what each protection costs."""
    say("\nWhat protections cost")
    say(f"  {'':46}{'signet':>12}{'unbound':>12}")
    rows = {"validation, first answer, ms": [], "validation, each name's first answer, CPU us": [],
            "DoT from nothing, first answer, ms": [], "query log, MB for 100,000 queries": []}
    for name in PROVING:
        def ms(key, server=name + " log off"):
            return first.get(key, {}).get(server, {}).get("ms")

        def us(workload, server=name):
            return summary.get(workload, {}).get(server, {}).get("us_per_q")

        logged = [t["log_bytes"] for t in turns.get("udp", {}).get(name, ()) if good(t)]
        for row, got in zip(rows.values(), (
                minus(ms("udp proved"), ms("udp not proved")), minus(us("proof"), us("cold")),
                minus(ms("dot proved"), ms("udp proved")),
                statistics.median(logged) / 10 if logged else None)):
            row.append(got)
    for title, (ours, theirs) in rows.items():
        say(f"  {title:46}{cell(ours, '.1f'):>12}{cell(theirs, '.1f'):>12}")
    return rows


class Control:
    """Starting and stopping, for what is measured one server at a time."""
    start, stop, wait = staticmethod(server_start), staticmethod(server_stop), staticmethod(server_wait)


def measure_apart(args, servers, upstream):
    """First answers over a slow line, and the memory of what is proved."""
    tools, first, kept = args.build / "bench", {}, {}
    servers = [s for s in servers if s.name.startswith(PROVING) and s.name.endswith("log off")]
    if "memory" in args.apart:
        for s in servers:
            latency.keep_conf(s)
            server_start(s)
            if server_wait(s) and answers(s, tools):
                kept[s.name] = latency.bytes_per_answer(s, tools, LOAD_CORE, args.kept_names)
            server_stop(s)
        say("\nMemory of an answer that was proved, bytes")
        for name, row in kept.items():
            say(f"  {name:18}{cell(row.get('bytes'), '.0f'):>8}  {row.get('failed', '')}")
    upstream.kill()
    upstream.wait()
    if "first" in args.apart:
        line = None
        try:
            line = latency.Line(tools, args.inside, lambda argv: start(argv, LOAD_CORE, None))
            first = latency.measure_first(servers, args.starts, Control)
            latency.print_first(first, servers, say)
        except OSError as e:
            say(f"skipped: first answers over a slow line ({e})")
        finally:
            if line:
                line.end()
    return first, kept


def measure_together(args, servers):
    """The rows in turns, all servers up; what is left of them is printed."""
    idle = measure_idle(servers, args.quick)
    servers = start_all(servers, args.build / "bench")
    turns = measure_all(args, servers)
    after = {s.name: measure.memory_kb(s) / 1024 for s in servers}
    for s in servers:
        server_stop(s)
    summary = {w: {n: summary_row(turns[w], n) for n in turns[w]} for w in turns}
    for w in summary:
        print_workload(w, turns[w], {s.name: summary[w][s.name] for s in servers
                                     if s.name in summary[w]})
    print_memory(idle, after)
    return {"turns": turns, "summary": summary, "idle_mb": idle, "after_mb": after}


def run(args):
    work, tools = args.inside, args.build / "bench"
    make_world(work)
    upstream = start_upstream(tools, work)
    files = [f.read_text(encoding="utf-8") for f in (args.conf, args.corefile)]
    servers = peers.all_servers(args.signet, tools, work, files, say)
    if set(args.only) & set(CLUSTER) and any(s.name == "signet" for s in servers):
        os.sched_setaffinity(0, {LOAD_CORE})
        pod.start_api(work)
        servers.append(pod.server(args.signet.resolve(), work, len(servers)))
    servers = [s for s in servers if args.apart or any(is_able(s, w) for w in args.only)]
    say(f"users' files {args.conf}, {args.corefile}; {platform.machine()}, kernel {platform.release()}, "
        f"{os.cpu_count()} cores: servers on core {SERVER_CORE}, load and upstream on {LOAD_CORE}")
    for s in servers:
        if not s.is_echo and not s.name.endswith("log off"):
            say(f"  {s.name:18}{s.version}")
    got = {"versions": {s.name: s.version for s in servers}, "turns": {}, "summary": {}, "idle_mb": {}}
    if args.only:
        got |= measure_together(args, servers)
    got["first"], got["kept"] = measure_apart(args, servers, upstream)
    got["trade_offs"] = print_trade_offs(got["summary"], got["turns"], got["first"])
    got["targets"] = print_targets(got["turns"], got["idle_mb"], got["first"], got["kept"])
    if args.json:
        Path(args.json).write_text(json.dumps(got, indent=1), encoding="utf-8")
    return 0


def tools_build(build):
    """The benchmark's own programs are built on demand; true if all are there."""
    tools = ["bench/bench_echo", "bench/bench_load", "bench/bench_upstream", "bench/bench_relay"]
    if (build / "build.ninja").exists():
        subprocess.run(["ninja", "-C", str(build), *tools], check=False, stdout=subprocess.DEVNULL)
    missing = [t for t in tools if not (build / t).exists()]
    if missing:
        say(f"bench: not built in {build}: {', '.join(missing)}")
    return not missing


def main():
    args = parse_args()
    if not args.inside and not tools_build(args.build):
        return 3
    for file, option in ((args.conf, "--conf"), (args.corefile, "--corefile")):
        if not file.exists():
            say(f"bench: no users' file {file}; name one with {option}")
            return 3
    if len(os.sched_getaffinity(0)) < 2:
        say("bench: needs two cores, one for the load and one for the server")
        return 3
    if not args.inside:
        return enter(args)
    measure.prefer()
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
