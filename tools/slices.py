#!/usr/bin/python3
"""One slice per capability, each the whole way through the product in seconds: `make slices`.

  slices.py           all of them
  slices.py NAME...   these
Last line: N passed, N failed, N skipped. A slice is a function here, named after what its user does.
"""
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "test" / "peer"))
import keys as keys_of  # noqa: E402
import ns  # noqa: E402
from server import Server  # noqa: E402

SLICE_S = 10     # a slice that takes longer has failed


class Skipped(Exception):
    """The slice cannot be played here; the text says why."""


def host(keys):
    """hardening.conf, verbatim, resolves over TLS, and refuses hosts that are not who the file says"""
    why = ns.refusal() or (None if shutil.which("dig") else "dig is not installed")
    if why:
        raise Skipped(why)
    with ns.World(keys) as world:
        world.start_hosts()
        Server(world)
        out = world.run("dig", "+dnssec", "www.secure").stdout
        assert "status: NOERROR" in out and "198.51.100.80" in out and "RRSIG" in out, out
        counts = world.counts()
        assert set(counts["by_proto"]) == {"tls"} and counts["packets"]["53"] == 0, counts
        assert set(counts["names"]) <= {"cloudflare-dns.com", "dns.quad9.net"}, counts["names"]
        world.tell("cert", cert={addr: "wrong" for addr in world.hosts_at})
        world.tell("reset")
        out = world.run("dig", "+tries=1", "+timeout=9", "www.other.com").stdout
        assert "status: SERVFAIL" in out, out
        counts = world.counts()
        assert not counts["questions"] and counts["packets"]["53"] == 0, counts


SLICES = (host,)


def main(names):
    ns.become_root()
    if not ns.program().exists():
        print(f"{ns.program()} is not there: run make first", file=sys.stderr)
        return 2
    unknown = set(names) - {s.__name__ for s in SLICES}
    if unknown:
        print(f"no such slice: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    keys = keys_of.make(Path(tempfile.mkdtemp(prefix="signet-keys-")))
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for play in [s for s in SLICES if not names or s.__name__ in names]:
        start, outcome, why = time.monotonic(), "passed", ""
        try:
            play(keys)
            assert time.monotonic() - start < SLICE_S, f"it took more than {SLICE_S} s"
        except Skipped as e:
            outcome, why = "skipped", f": {e}"
        except (AssertionError, OSError, ns.Refused) as e:
            outcome, why = "failed", f": {e}"
        counts[outcome] += 1
        print(f"{outcome:8}{play.__name__:12}{time.monotonic() - start:5.1f} s  {play.__doc__}{why}", flush=True)
    shutil.rmtree(keys)
    print(", ".join(f"{n} {what}" for what, n in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
