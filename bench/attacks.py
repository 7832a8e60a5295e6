#!/usr/bin/env python3
"""What attacks on validation cost: CPU of the server for each question that sets one off, and how long an unrelated
name takes meanwhile. The attacks are those of test/peer/costly.py, each in a world that the server has never seen."""
import argparse
import contextlib
import os
import re
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "test" / "peer")]
import dns.name  # noqa: E402

import measure  # noqa: E402
import ns  # noqa: E402
from ask import ede, rcode  # noqa: E402

LIMIT_MS = {"D1": 20.0, "D2": 30.0, "D4": 5.0, "D6": 5.0, "D14": 10.0}
RATIO = 2.0            # of the unrelated name's p99, attacked to idle
OTHER = "9.9.9.9"      # the honest host behind names that have nothing to do with it
CLAUSES = ('forward-zone:\n  name: "."\n  forward-addr: 1.1.1.1\n'
           f'forward-zone:\n  name: unrelated.\n  forward-addr: {OTHER}\n')
QUIET = "  domain-insecure: unrelated.\n"
WINDOW_S = 0.8
NUMBERED = b"\7q000000"
RECORDED = 3           # questions of an attack that are answered by the liar itself
LIFE_S = 120


def parse_args():
    p = argparse.ArgumentParser(description="Measures what attacks on validation cost.")
    p.add_argument("--rounds", type=int, default=7, help="questions of each attack, each in a new world; 0: none")
    p.add_argument("--windows", type=int, default=6, help="pairs of idle and attacked windows")
    p.add_argument("--only", default="", help="attacks whose name holds this")
    p.add_argument("--signet", type=Path, help="the program (default build/signet)")
    p.add_argument("--build", default=HERE.parent / "build", type=Path, help="build folder of the tools")
    return p.parse_args()


# --- an unrelated name meanwhile -------------------------------------------------------------------------------

def p99(values):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def key_of(q):
    """A question's name as the table of attack.c has it: lower case, the number in it as zeros."""
    return re.sub(rb"^\x07q[0-9]{6}", lambda _: NUMBERED, q.name)


def record(lab, flood):
    """What the liar says when the flood begins, as a table; and the name to go on with."""
    rows, reply = {}, lab.evil.reply

    def listened(q):
        message = reply(q)
        rows[key_of(q), q.qtype] = message
        return message
    lab.evil.reply = listened
    questions = flood(lab, RECORDED)
    for name, rrtype in questions:
        lab.ask(name, rrtype)
    lab.evil.reply = reply
    table = b"".join(struct.pack("!3H", len(name), rrtype, len(message)) + name + message
                     for (name, rrtype), message in rows.items() if message)
    return table, dns.name.from_text(str(questions[0][0])).to_wire()


def alone_on(process, core):
    """A core of its own, where neighbours do not come first."""
    for pid in measure.children_of(process.pid):
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(1))


def first_of(lab, flood):
    """The flood as it was recorded, the hosts silent again."""
    lab.start(QUIET, CLAUSES)
    table, name = record(lab, flood)
    lab.server.stop()
    for host in lab.evil.site.hosts.values():
        lab.evil.on(host.close)
    return table, name


def unrelated(keys, flood, args):
    """{kind: [(idle p99, attacked p99) of each pair of windows]} in ms; questions of the attack a second."""
    from evilauth import Lab
    with Lab(keys, start=False) as lab:
        table, name = first_of(lab, flood)
        path = lab.world.dir / "table"
        path.write_bytes(table)
        ms = int(1000 * WINDOW_S)
        tool = lab.world.popen([args.build / "bench" / "bench_attack", f"/proc/{lab.world.outside.pid}/ns/net", path,
                                name.hex(), args.windows, ms], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert tool.stdout.readline() == "ready\n", "the attack does not start"
        server = lab.start(QUIET, CLAUSES)
        if len(os.sched_getaffinity(0)) > 1:
            alone_on(server.process, 1)
            alone_on(tool, 0)
        lines = tool.communicate("\n", timeout=LIFE_S)[0].splitlines()
        assert server.alive(), "the server has died of it"
    samples = {}
    for line in lines[:-1]:
        phase, window, kind, us = line.split()
        samples.setdefault((kind, int(window)), {}).setdefault(phase, []).append(int(us) / 1000)
    counts = dict(zip(lines[-1].split()[::2], map(int, lines[-1].split()[1::2])))
    assert not counts["unknown"], f"{counts['unknown']} questions that were not recorded"
    found = {kind: [(p99(s["idle"]), p99(s["attacked"])) for (k, _), s in samples.items() if k == kind]
             for kind in ("cached", "new")}
    return found, counts["attacks"] / args.windows / WINDOW_S, counts["lost"]


# --- the table ------------------------------------------------------------------------------------------------------

def turn(lab, attack):
    """(CPU ms, signatures, blocks, what the client got)."""
    name, rrtype = attack(lab)
    before = measure.settle(lab.server)
    with lab.cost() as cost:
        paid = measure.settle(lab.server)      # the page of counters is not the question's
        m = lab.ask(name, rrtype, tcp=True)
        spent = measure.cpu_between(paid, measure.settle(lab.server))
    assert measure.cpu_between(before, paid) >= 0
    told = f" EDE {ede(m)[0][0]}" if m and ede(m) else ""
    return spent / 1e6, cost.verifies, cost.blocks, rcode(m) + told


def row(lab, title, attack, rounds):
    turns = [turn(lab, attack) for _ in range(rounds)]
    ms = statistics.median(t[0] for t in turns)
    limit = LIMIT_MS.get(title.split(" ")[0])
    verdict = "" if limit is None else "met" if ms <= limit else "missed"
    print(f"  {title:40}{ms:8.2f}{max(t[0] for t in turns):8.2f}{limit or '-':>7}{verdict:>8}"
          f"{max(t[1] for t in turns):7.0f}{max(t[2] for t in turns):7.0f}  {turns[-1][3]}", flush=True)


def honest(lab):
    z = lab.zone()
    z.add(z.name("www"), "A", "198.51.100.1")
    return z.name("www"), "A"


def alone(keys, attacks, rounds):
    """What each attack costs when nothing else is asked."""
    from evilauth import Lab
    with Lab(keys, QUIET, CLAUSES, others=(OTHER,)) as lab:
        lab.ask(*honest(lab))
        print(f"  {'CPU of the server, ms a question':40}{'median':>8}{'most':>8}{'limit':>7}{'':8}{'sigs':>7}"
              f"{'blocks':>7}  answer")
        row(lab, "nothing: a signed name of a new zone", honest, rounds)
        for title, attack in attacks.items():
            row(lab, title, attack, rounds)


def run(args, keys):
    import costly
    if args.rounds:
        alone(keys, {t: a for t, a in {**costly.ATTACKS, **costly.BULKY}.items() if args.only in t}, args.rounds)
    print(f"\n  {'an unrelated name meanwhile, p99 ms':40}{'idle':>8}{'now':>8}{'ratio':>7}")
    for title, flood in costly.FLOODS.items():
        if args.only not in title:
            continue
        found, rate, lost = unrelated(keys, flood, args)
        for kind, pairs in found.items():
            idle, now = (statistics.median(p[i] for p in pairs) for i in (0, 1))
            ratio = statistics.median(p[1] / p[0] for p in pairs)
            verdict = "met" if ratio <= RATIO else "missed"
            print(f"  {title + ', ' + kind:40}{idle:8.3f}{now:8.3f}{ratio:7.2f}{verdict:>8}"
                  f"  {rate:.0f} attacks a second{f', {lost} lost' if lost else ''}", flush=True)
    return 0


def main():
    args = parse_args()
    if args.signet:
        os.environ["SIGNET_UNDER_TEST"] = str(args.signet.resolve())
    why = ns.refusal() or (None if ns.program().exists() else f"no program: {ns.program()}")
    if why:
        print(f"bench: attacks are not measured: {why}")
        return 3
    tool = "bench/bench_attack"
    if subprocess.run(["ninja", "-C", str(args.build), tool], stdout=subprocess.DEVNULL, check=False).returncode:
        print(f"bench: {args.build / tool} is not built")
        return 3
    measure.prefer()
    import keys as keys_of
    with tempfile.TemporaryDirectory(prefix="signet-keys-") as folder:
        return run(args, keys_of.make(Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
