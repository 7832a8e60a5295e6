"""A signed world that lies: a Tree of zones (evilzone.py) behind the sockets of the test hosts (hosts.py).

It lives in a thread of the test, in the outside's network namespace, so a test hands it plain functions:
  evil.twist(name, type, how)    how(message) is sent in place of an honest answer about name (or, with below=True,
                                 about anything at or below it); type None: any. It may give a message, bytes (the
                                 id is set), or None: silence. The twist made last has its say first.
Questions with RD are answered as a forwarder would, those without as an authority of the zones at that address
(zone.at).
"""
import asyncio
import collections
import concurrent.futures
import contextlib
import ctypes
import struct
import threading

import dns.message
import dns.name
import dns.rdatatype

import hosts
from ask import ask, counters
from evilzone import Tree, blank, name_of, type_of
from ns import CLONE_NEWNET, World, libc, program
from server import Server

START_S = 20
METRICS = "" if "unbound" in program().name else "signet:\n  metrics: 127.0.0.1@9153\n"
FORWARD = 'forward-zone:\n  name: "."\n  forward-addr: 1.1.1.1\n'
ANCHOR = "/var/lib/unbound/root.key"
ONE = "  num-threads: 1\n"


class EvilHost(hosts.Host):
    """Answers out of the tree."""

    def take(self, q, way, out) -> bool:
        self.tally.add(q, way.source())
        message = self.site.evil.reply(q)
        if message is None:
            return True
        if q.proto == "udp" and len(message) > min(q.size, 1232):
            message = hosts.head(q, 0, extra=0x200)
        way.send(message)
        return True


class EvilSite(hosts.Site):
    host_class = EvilHost
    evil = None


class Evil:
    """See the module's text. Use it as a context: the thread ends with it."""

    def __init__(self, world, hosts_at=None):
        self.hosts_at = world.hosts_at if hosts_at is None else hosts_at
        self.tree, self.twists, self.world = Tree(), [], world
        self.asked = collections.Counter()     # (name, type), as text
        self.edns = True                       # False: FORMERR to who uses it; "silent": answers as if there were none
        self.loop, self.site, self.failed = None, None, None
        self.up = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        assert self.up.wait(START_S) and self.failed is None, f"no lying world: {self.failed!r}"

    def run(self):
        try:
            with open(f"/proc/{self.world.outside.pid}/ns/net", "rb") as there:
                if libc.setns(there.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            self.loop = asyncio.new_event_loop()
            self.site = EvilSite({"keys": str(self.world.keys), "hosts": self.hosts_at}, self.loop)
            self.site.evil = self
        except Exception as e:     # told to who waits for it
            self.failed = e
            return
        finally:
            self.up.set()
        self.loop.run_forever()

    def reply(self, q):
        try:
            return self.make(q)
        except Exception as e:     # a test's mistake, found at its end
            self.failed = self.failed or e
            return None

    def make(self, q):
        if q.edns and self.edns is False:
            return hosts.head(q, 1)
        qname, _ = dns.name.from_wire(q.raw, 0)
        self.asked[str(qname).lower(), dns.rdatatype.to_text(q.qtype)] += 1
        how, anew = next(((how, anew) for name, rrtype, below, anew, how in reversed(self.twists)
                          if (qname.is_subdomain(name) if below else qname == name) and rrtype in (None, q.qtype)),
                         (None, False))
        if anew:
            message = blank(qname, q.qtype)
        elif q.flags & 0x0100:
            message = self.tree.answer(qname, q.qtype)
        else:
            here = [z for z in self.tree.zones.values() if z.at is None or q.addr in z.at]
            message = self.tree.serve(here, qname, q.qtype)
        if how:
            message = how(message)
        if isinstance(message, dns.message.Message):
            if not q.do:
                without_proofs(message)
            if q.edns and self.edns is True:
                message.use_edns(0, dns.flags.DO if q.do else 0, 1232)
            wire = message.to_wire(max_size=65535, want_shuffle=False)
            message = wire[:12] + q.raw + wire[12 + len(q.raw):]
        return message and struct.pack("!H", q.id) + message[2:]

    def twist(self, name, rrtype, how, below=False, anew=False):
        """anew: it is given an empty message, as it says all itself."""
        self.twists.append((name_of(name), rrtype and type_of(rrtype), below, anew, how))

    def count(self, name, rrtype="A") -> int:
        """How often a question came."""
        return self.asked[name_of(name).to_text().lower(), rrtype]

    def below(self, name) -> int:
        """How many questions came about a name and all below it."""
        return sum(n for (asked, _), n in list(self.asked.items()) if name_of(asked).is_subdomain(name_of(name)))

    def on(self, call, *args):
        """Run something of the site in its thread."""
        done = concurrent.futures.Future()
        self.loop.call_soon_threadsafe(lambda: done.set_result(call(*args)))
        return done.result(START_S)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(START_S)
        assert self.failed is None, f"the lying world failed: {self.failed!r}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def without_proofs(message):
    proofs = {dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3} - {q.rdtype for q in message.question}
    for part in (message.answer, message.authority, message.additional):
        part[:] = [s for s in part if s.rdtype not in proofs]


class Cost(dict):
    """What metrics counted meanwhile."""

    verifies = property(lambda self: self["signet_validation_signatures_total"])
    blocks = property(lambda self: self["signet_validation_nsec3_blocks_total"])
    asked = property(lambda self: sum(n for k, n in self.items() if k.startswith("signet_upstream_questions_total")))

    def of(self, result):
        return self[f'signet_validations_total{{result="{result}"}}']


class Lab:
    """A world, the liar in it, and the program with the liar's root as its anchor."""

    def __init__(self, keys, conf="", clauses=FORWARD, hosts_at=None, anchors=f"  trust-anchor-file: {ANCHOR}\n",
                 start=True, others=()):
        """others: addresses at which honest hosts stand, in a process of their own."""
        self.world = World(keys, hosts_at)
        try:
            at = self.world.hosts_at
            self.evil = Evil(self.world, {a: c for a, c in at.items() if a not in others})
            if others:
                self.world.hosts_options = lambda: {"hosts": {a: at[a] for a in others}}
                self.world.start_hosts()
            self.world.write(ANCHOR, self.evil.tree.anchor())
            self.tree, self.nr, self.anchors = self.evil.tree, 0, anchors
            if start:
                self.start(conf, clauses)
        except BaseException:
            self.world.close()
            raise

    def start(self, conf="", clauses=FORWARD, **how):
        text = f"server:\n{self.anchors}{conf}{'' if 'num-threads' in conf else ONE}{clauses}{METRICS}"
        self.server = Server(self.world, conf=text, file="attack.conf", **how)
        return self.server

    def zone(self, **how):
        """A zone that no other test knows."""
        self.nr += 1
        return self.tree.zone(f"z{self.nr}.", **how)

    def ask(self, name, rrtype="A", **how):
        how.setdefault("want_dnssec", True)
        return ask(self.world, str(name), rrtype, **how)

    def twist(self, *args, **how):
        self.evil.twist(*args, **how)

    @contextlib.contextmanager
    def cost(self):
        """What the questions in it cost."""
        before, cost = counters(self.world), Cost()
        yield cost
        cost.update({k: n - before.get(k, 0) for k, n in counters(self.world).items()})

    def close(self):
        try:
            self.evil.close()
            assert self.server.alive(), f"the program ended: {self.server.stderr()[-2000:]}"
        finally:
            self.world.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
