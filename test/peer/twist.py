"""Lies told on a finished message: each takes one and gives one."""
import dns.rdata
import dns.rdatatype
import dns.rrset

T = dns.rdatatype
IN = 1


def sets(message):
    return [s for section in (message.answer, message.authority) for s in section]


def without(message, judge):
    message.answer = [s for s in message.answer if not judge(s)]
    message.authority = [s for s in message.authority if not judge(s)]
    return message


def is_type(*types):
    wanted = [T.from_text(t) for t in types]
    return lambda s: s.rdtype in wanted


def covered(rrsig) -> int:
    return int.from_bytes(rrsig.to_wire()[:2], "big")


def covers(*types):
    """RRSIGs over these types; without types, all."""
    wanted = [T.from_text(t) for t in types]
    return lambda s: s.rdtype == T.RRSIG and (not wanted or covered(s[0]) in wanted)


def stripped(*types):
    return lambda message: without(message, covers(*types))


def forged(message):
    """Another address under the same signature."""
    for s in message.answer:
        if s.rdtype == T.A:
            other = dns.rrset.from_text(s.name, s.ttl, "IN", "A", "6.6.6.6")
            s.clear()
            s.update(other)
    return message


def resigned(*types, **at):
    """Fields of each RRSIG over these types (none: all) replaced after it was made."""
    place = {"algorithm": (2, 1), "labels": (3, 1), "expiration": (8, 4), "inception": (12, 4), "tag": (16, 2)}

    def how(message):
        for s in filter(covers(*types), sets(message)):
            changed = []
            for rd in s:
                wire = bytearray(rd.to_wire())
                for field, value in at.items():
                    start, size = place[field]
                    wire[start:start + size] = value.to_bytes(size, "big")
                changed.append(dns.rdata.from_wire(IN, T.RRSIG, bytes(wire), 0, len(wire)) if s.covers else
                               dns.rdata.GenericRdata(IN, T.RRSIG, bytes(wire)))
            s.clear()
            for rd in changed:
                s.add(rd)
        return message
    return how


def replaced(answer=None, authority=None, rcode=None):
    """Whole sections exchanged, of lists of sets."""
    def how(message):
        if answer is not None:
            message.answer = list(answer)
        if authority is not None:
            message.authority = list(authority)
        if rcode is not None:
            message.set_rcode(rcode)
        return message
    return how
