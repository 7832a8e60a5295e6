"""A peer's scenarios, which are not part of this tree: where ../shared/scenarios is there (or SCENARIOS names such a
folder), each is played twice, in-process and against the program itself, and must end as test/scenario/expected.txt
says. A scenario that begins to pass is as much a finding as one that begins to fail.

  test_scenarios.py --write        write expected.txt anew from what happens now; reasons written by hand stay
  test_scenarios.py --counts       how many pass, by category, without those that SERVFAIL to everything passes too
"""
import collections
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import ns

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = Path(os.environ.get("SCENARIOS", ROOT.parent / "shared" / "scenarios"))
OPEN = FOLDER / "open"
RUNNER = FOLDER / "rplrun" / "rplrun.py"
REPLAY = Path(os.environ.get("REPLAY", ROOT / "build-debug" / "test" / "sim" / "replay"))
EXPECTED = ROOT / "test" / "scenario" / "expected.txt"
HEAD = """# How each scenario of a peer's test-suite ends here: its name, then `pass`, or the reason why it does not.
# Written by test/peer/test_scenarios.py --write; a reason that was changed by hand stays until the scenario passes.
# `program: ...` passes in-process, and not with real clocks and sockets.
# `clock: ...` passes in-process; against the program a fraction of a second of its clock decides.
"""
PLAY_S = 900
# Signed with RSA/SHA-1 alone, which is insecure here unless the configuration says fake-sha1 (RFC 9905): these do not
# say it, others say it in a comment, which the player in this tree reads and the runner does not.
SHA1 = {"deckard/iter_validate_child_zone_noaddr.rpl", "deckard/iter_validate_nsec_nxdomain.rpl",
        "deckard/val_nsec3_b1_nameerror.rpl", "deckard/val_nsec3_b21_nodataent.rpl",
        "deckard/val_nsec3_b5_wcnodata.rpl"}
SHA1_LINES = ("server:", "fake-sha1: yes")
LATER = {"auth-zone": "needs auth-zone", "rpz": "needs rpz", "subnet": "needs client subnet",
         "cachedb": "needs cachedb", "autotrust": "needs validation"}

Row = collections.namedtuple("Row", "category servfail")


def manifest():
    rows = [line.rstrip("\n").split("\t") for line in (OPEN / "manifest.tsv").read_text().splitlines()[1:]]
    return {row[0]: Row(row[2], row[5] == "pass") for row in rows}


def expected():
    if not EXPECTED.exists():
        return {}
    lines = [line for line in EXPECTED.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split(None, 1) for line in lines)


def name_of(path):
    return os.path.relpath(path, OPEN)


def is_sha1(name):
    """Does the file hold SHA-1 signatures that count, and not say so itself?"""
    return name in SHA1 or re.search(r"^;\s*fake-sha1: yes", (OPEN / name).read_text("latin-1"), re.M) is not None


def groups(names):
    """The files with what their configuration gets beside its own."""
    sha1 = {name for name in names if is_sha1(name)}
    return [(sorted(set(names) - sha1), ()), (sorted(sha1), SHA1_LINES)]


def play_inside(names, *words):
    """In this tree's own player: {name: (result, reason)}."""
    found = {}
    for files, lines in groups(names):
        if not files:
            continue
        more = [word for line in lines for word in ("--append", line)]
        done = subprocess.run([REPLAY, "--json", *more, *words, *[OPEN / f for f in files]],
                              capture_output=True, text=True, timeout=PLAY_S, check=False)
        assert done.returncode in (0, 1), done.stderr
        found.update({name_of(r["file"]): (r["result"], r["reason"]) for r in json.loads(done.stdout)})
    return found


def play_program(names, program, *words):
    """The program itself in a namespace of the runner's own."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="signet-rpl-") as folder:
        borrowed = Path(folder) / "unbound"
        borrowed.symlink_to(Path(program).resolve())
        report = Path(folder) / "report.json"
        for files, lines in groups(names):
            if not files:
                continue
            more = [word for line in lines for word in ("--append-conf", line)]
            subprocess.run(["/usr/bin/python3", RUNNER, "--server", f"{borrowed} -d -c {{conf}}", "-q", "-j", "2",
                            "--step-timeout", "6", "--json", report, *more, *words, *[OPEN / f for f in files]],
                           capture_output=True, timeout=PLAY_S, check=False)
            found.update({name_of(r["file"]): (r["result"], r["reason"]) for r in json.loads(report.read_text())})
    return found


def is_due(said, program):
    return said == "pass" or (said.startswith(("program:", "clock:")) and not program)


TTL_OFF = re.compile(r"(?:FAIL )?(?:step \d+: )?\w+ ttl: expected .*\[ttl (\d+)\].*, got \[(\d+)\]")


def is_second_off(reason):
    """TTLs beside what is wanted by one second and nothing else: where a real clock's second ends. The player within
    the process has a clock of its own and is held to the second."""
    parts = [TTL_OFF.fullmatch(part.strip()) for part in reason.split(";")]
    return all(m and abs(int(m[1]) - int(m[2])) <= 1 for m in parts)


def findings(want, got, program=False):
    """What ended otherwise than expected. What one of the two players cannot play says nothing."""
    lines = []
    for name in sorted(set(want) | set(got)):
        result, reason = got.get(name, ("absent", ""))
        if name not in want:
            lines.append(f"{name}: {result}, and expected.txt does not know it")
        elif program and (want[name].startswith("clock:") or is_second_off(reason)):
            continue
        elif result not in ("SKIP", "absent") and (result == "PASS") != is_due(want[name], program):
            lines.append(f"{name}: {result} {reason}; expected: {want[name]}"[:400])
    return lines


present = pytest.mark.skipif(not (OPEN / "manifest.tsv").exists(), reason=f"no scenarios: {FOLDER} is not there")


@functools.cache
def usual_inside():
    return play_inside(manifest())


@present
def test_scenarios_in_process():
    if not REPLAY.exists():
        pytest.skip(f"no player: {REPLAY} (make debug builds it)")
    found = findings(expected(), usual_inside())
    assert not found, "\n".join(found)


@present
@pytest.mark.parametrize("percent,seed", [(0, 1), (50, 1), (50, 2), (20, 3)])
def test_verdicts_do_not_depend_on_what_is_asked_ahead(percent, seed):
    """Without guesses, and with some that chance leaves out: each scenario ends as it does with all of them."""
    if not REPLAY.exists():
        pytest.skip(f"no player: {REPLAY} (make debug builds it)")
    usual = usual_inside()
    found = play_inside(manifest(), "--seed", str(seed), "--append", "signet:", "--append", f"ask-ahead: {percent}")
    other = {n: (usual[n], found[n]) for n in usual if usual[n][0] != found[n][0]}
    assert len(usual) > 300 and not other, "\n".join(f"{n}: {a}; {b}" for n, (a, b) in other.items())


@present
def test_scenarios_against_the_program():
    why = ns.refusal()
    if why:
        pytest.skip(f"needs namespaces: {why}")
    if not RUNNER.exists() or not ns.program().exists():
        pytest.skip("no runner, or no program")
    want = expected()
    got = play_program(manifest(), ns.program())
    odd = [line.split(":", 1)[0] for line in findings(want, got, True)]
    if odd:      # a second time alone: real clocks and a busy machine do not make a finding
        got.update(play_program(odd, ns.program(), "--retry", "2"))
    found = findings(want, got, True)
    assert not found, "\n".join(found)


def reason_for(row, reason):
    """A first guess; people write the better one."""
    if "is not supported" in reason:
        return "needs " + reason.split(": is not supported")[0].split(":")[-1].split()[-1]
    if row.category in LATER:
        return LATER[row.category]
    return "needs validation" if row.category.startswith("val") else "needs iteration"


def write():
    assert ns.program().exists() and REPLAY.exists(), "build first: make all debug"
    rows, old = manifest(), expected()
    inside, outside = play_inside(rows), play_program(rows, ns.program(), "--retry", "1")
    lines = []
    for name in sorted(rows):
        result, reason = outside[name] if outside[name][0] != "SKIP" else inside[name]
        known = old.get(name, "pass")
        said = "pass" if result == "PASS" else known if known != "pass" else reason_for(rows[name], reason)
        if inside[name][0] not in ("SKIP", result):
            print(f"{name}: {inside[name]} in-process, {outside[name]} against the program")
            said = known if known.startswith(("program:", "clock:")) else f"program: {reason[:80]}"
        lines.append(f"{name} {said}\n")
    EXPECTED.write_text(HEAD + "".join(lines))


def counts():
    rows, want = manifest(), expected()
    table = collections.defaultdict(lambda: [0, 0])
    for name, row in rows.items():
        if not row.servfail:
            table[row.category][0] += want.get(name) == "pass"
            table[row.category][1] += 1
    for category in sorted(table):
        print(f"{category:14} {table[category][0]:4} of {table[category][1]:4}")
    print(f"{'all':14} {sum(t[0] for t in table.values()):4} of {sum(t[1] for t in table.values()):4}")


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    counts()
