"""Measuring one server for one short turn: CPU from schedstat, answers from bench_load."""
import os
import re
import select
import subprocess
import time
from pathlib import Path

SETTLE_MAX_S = 2.0  # a log writer that needs longer than this to drain has lost the turn
READY_MAX_S = 20.0


def prefer():
    """Ahead of busy neighbours, so that they do not stretch the turns. Where the kernel groups
    processes by session, the group's own nice value is what counts."""
    os.setsid()
    os.nice(-10)
    try:
        Path("/proc/self/autogroup").write_text("-10", encoding="ascii")
    except OSError:
        pass


def children_of(pid):
    """The process and all its descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="latin-1")
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    tree = [pid]
    for p in tree:
        tree += [child for child, parent in parents.items() if parent == p]
    return tree


def cpu_ns(server):
    """CPU time by thread, over all threads of all its processes."""
    threads = {}
    for pid in children_of(server.process.pid):
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                threads[task.parent.name] = int(task.read_text(encoding="ascii").split()[0])
            except OSError:
                continue
    return threads


def cpu_between(before, after):
    """Nanoseconds spent; a thread that is gone took its last part with it and counts as it stood."""
    return sum(ns - before.get(tid, 0) for tid, ns in after.items())


def settle(server):
    """Wait until the server does nothing any more, bounded; returns its CPU time."""
    deadline = time.monotonic() + SETTLE_MAX_S
    last = cpu_ns(server)
    while time.monotonic() < deadline:
        time.sleep(0.02)
        now = cpu_ns(server)
        if cpu_between(last, now) < 100_000:
            return now
        last = now
    return last


def memory_kb(server):
    """Pss summed over all processes of the server."""
    total = 0
    for pid in children_of(server.process.pid):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
    return total


class Log:
    """The query log of a server: its lines are counted, then it is emptied."""

    def __init__(self, path):
        self.path = path
        self.at = 0
        self.lines = 0
        self.bytes = 0

    def read(self):
        with open(self.path, "rb") as log:
            log.seek(self.at)
            data = log.read()
        self.at += len(data)
        self.bytes += len(data)
        self.lines += data.count(b" query: ") + data.count(b" reply: ")

    def lost(self, answered):
        """Lines that are owed and never came; two for each answer."""
        deadline = time.monotonic() + SETTLE_MAX_S
        self.read()
        while self.lines < 2 * answered and time.monotonic() < deadline:
            time.sleep(0.02)
            self.read()
        return max(0, 2 * answered - self.lines)

    def empty(self):
        os.truncate(self.path, 0)
        self.at = self.lines = self.bytes = 0


class Load:
    """bench_load on the load's own core, driven line by line."""

    def __init__(self, tools, core, args):
        self.process = subprocess.Popen(
            [str(Path(tools) / "bench_load"), *map(str, args)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}))

    def line(self):
        if not select.select([self.process.stdout], [], [], READY_MAX_S)[0]:
            return b""
        return self.process.stdout.readline()

    def go(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self):
        if self.process.poll() is None:
            try:
                self.go()
                self.process.wait(2)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()

    def why(self):
        """What it says about not getting ready."""
        self.process.kill()
        return self.process.stderr.read().decode(errors="replace").strip() or "not ready in time"


def turn(server, tools, core, args):
    """One turn: connections opened and cache warmed outside the measure, then load, then silence.
    Returns the counts with us_per_q, or {"failed": why}."""
    log = Log(server.log) if server.log else None
    if log:
        log.empty()
    load = Load(tools, core, args)
    try:
        if load.line() != b"ready\n":
            return {"failed": load.why()}
        before = settle(server)
        load.go()
        counts = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", load.line().decode())}
        if not counts.get("answered"):
            return {"failed": "no answers"}
        counts["log_lost"] = log.lost(counts["total"]) if log else 0
        counts["log_bytes"] = log.bytes / counts["total"] if log else 0
        spent = cpu_between(before, settle(server))
    finally:
        load.end()
    counts["us_per_q"] = spent / 1000 / counts["answered"]
    counts["busy"] = spent / 1000 / counts["us"]
    if counts["closed"] or counts["bad"]:
        counts["failed"] = f"{counts['closed']} connections closed, {counts['bad']} wrong answers"
    elif not server.is_echo and counts["records"] < 0.999 * counts["answered"]:
        counts["failed"] = f"{counts['answered'] - counts['records']} answers without the record"
    elif counts["log_lost"]:
        counts["failed"] = f"{counts['log_lost']} log lines lost"
    return counts
