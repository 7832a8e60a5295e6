#!/usr/bin/env python3
"""What attacks on validation cost: CPU of the server for each question that sets one off, and how long an unrelated
name takes meanwhile. The attacks are those of test/peer/costly.py, each in a world that the server has never seen."""
import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "test" / "peer")]
import measure  # noqa: E402
import ns  # noqa: E402
from ask import ede, packet, rcode  # noqa: E402

LIMIT_MS = {"D1": 20.0, "D2": 30.0, "D4": 5.0, "D6": 5.0, "D14": 10.0}
RATIO = 2.0            # of the unrelated name's p99, attacked to idle
FLOOR_MS = 2.0         # below this p99 says more of the machine than of the server
OTHER = "9.9.9.9"      # the honest host behind names that have nothing to do with it
CLAUSES = ('forward-zone:\n  name: "."\n  forward-addr: 1.1.1.1\n'
           f'forward-zone:\n  name: unrelated.\n  forward-addr: {OTHER}\n')
QUIET = "  domain-insecure: unrelated.\n"
WINDOW_S = 0.8
PER_WINDOW = 150       # questions of an attack that stand ready for a window


def parse_args():
    p = argparse.ArgumentParser(description="Measures what attacks on validation cost.")
    p.add_argument("--rounds", type=int, default=7, help="questions of each attack, each in a new world")
    p.add_argument("--windows", type=int, default=6, help="pairs of idle and attacked windows")
    p.add_argument("--only", default="", help="attacks whose name holds this")
    p.add_argument("--signet", type=Path, help="the program (default build/signet)")
    p.add_argument("--control", nargs=2, help=argparse.SUPPRESS)
    return p.parse_args()


# --- the unrelated client: a process of its own, in the world --------------------------------------------------

def control(seconds, out):
    """A name that is cached and one that is new, in turns; a line for each answer."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", 53))
    sock.settimeout(5)
    end, number = time.monotonic() + seconds, 0
    with open(out, "w", encoding="ascii") as lines:
        while time.monotonic() < end:
            number += 1
            new = number % 2 == 0
            name = f"n{number}.unrelated" if new else "cached.unrelated"
            began = time.monotonic()
            sock.send(packet(name, "A", number & 0xffff))
            while sock.recv(4096)[:2] != (number & 0xffff).to_bytes(2, "big"):
                pass
            lines.write(f"{began} {(time.monotonic() - began) * 1000} {'new' if new else 'cached'}\n")
            time.sleep(0.004)


def p99(values):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def windows_of(lab, flood, count):
    """[(began, ended, attacked)]: questions of the attack one behind the other, then as long without."""
    ready, out, asked = flood(lab, count * PER_WINDOW), [], 0
    lab.ask(*ready.pop())
    for i in range(2 * count):
        began, attacked = time.monotonic(), bool(i % 2)
        while time.monotonic() < began + WINDOW_S:
            if attacked and ready:
                lab.ask(*ready.pop())
                asked += 1
            else:
                time.sleep(0.02)
        out.append((began, time.monotonic(), attacked))
    return out, asked / count / WINDOW_S


def unrelated(lab, flood, count):
    """{kind: (idle p99, attacked p99)} in ms, medians of the windows; questions of the attack a second."""
    lab.ask("cached.unrelated.")
    path = lab.world.dir / "unrelated"
    seconds = 2 * count * (WINDOW_S + 0.2) + 4
    client = lab.world.popen([sys.executable, HERE / "attacks.py", "--control", str(seconds), str(path)])
    ns.wait_for(path.exists, 10, "the unrelated client")
    windows, rate = windows_of(lab, flood, count)
    client.kill()
    client.wait()
    samples = {}
    for line in path.read_text(encoding="ascii").splitlines():
        began, took, kind = line.split()
        for start, end, attacked in windows:
            if start <= float(began) < end:
                samples.setdefault((kind, attacked, start), []).append(float(took))

    def typical(kind, attacked):
        return statistics.median(p99(v) for (k, a, _), v in samples.items() if (k, a) == (kind, attacked))
    return {kind: (typical(kind, False), typical(kind, True)) for kind in ("cached", "new")}, rate


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


def run(args, keys):
    import costly
    from evilauth import Lab
    attacks = {t: a for t, a in {**costly.ATTACKS, **costly.BULKY}.items() if args.only in t}
    with Lab(keys, QUIET, CLAUSES, others=(OTHER,)) as lab:
        lab.ask(*honest(lab))
        print(f"  {'CPU of the server, ms a question':40}{'median':>8}{'most':>8}{'limit':>7}{'':8}{'sigs':>7}"
              f"{'blocks':>7}  answer")
        row(lab, "nothing: a signed name of a new zone", honest, args.rounds)
        for title, attack in attacks.items():
            row(lab, title, attack, args.rounds)
        print(f"\n  {'an unrelated name meanwhile, p99 ms':40}{'idle':>8}{'now':>8}{'ratio':>7}")
        for title, flood in costly.FLOODS.items():
            found, rate = unrelated(lab, flood, args.windows)
            for kind, (idle, now) in found.items():
                verdict = "met" if now <= max(RATIO * idle, FLOOR_MS) else "missed"
                print(f"  {title + ', ' + kind:40}{idle:8.2f}{now:8.2f}{now / idle:7.2f}{verdict:>8}"
                      f"  {rate:.0f} attacks a second", flush=True)
    return 0


def main():
    args = parse_args()
    if args.control:
        control(float(args.control[0]), args.control[1])
        return 0
    if args.signet:
        os.environ["SIGNET_UNDER_TEST"] = str(args.signet.resolve())
    why = ns.refusal() or (None if ns.program().exists() else f"no program: {ns.program()}")
    if why:
        print(f"bench: attacks are not measured: {why}")
        return 3
    import keys as keys_of
    with tempfile.TemporaryDirectory(prefix="signet-keys-") as folder:
        return run(args, keys_of.make(Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
