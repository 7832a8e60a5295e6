"""What a validating server's answer says, as the client sees it."""
import dns.flags

from ask import ede, rcode
from ns import program


def is_secure(m, kind="NOERROR"):
    assert m is not None, "no answer"
    assert rcode(m) == kind and m.flags & dns.flags.AD, f"not secure: {m}"
    return m


def is_insecure(m, kind="NOERROR"):
    assert m is not None, "no answer"
    assert rcode(m) == kind and not m.flags & dns.flags.AD, f"not insecure: {m}"
    return m


def is_bogus(m, *codes, why=""):
    """SERVFAIL with no data at all, and if codes are given, one of these extended errors with `why` in its text."""
    assert m is not None, "no answer"
    assert rcode(m) == "SERVFAIL" and not m.flags & dns.flags.AD, f"not bogus: {m}"
    assert not m.answer and not m.authority, f"bogus data was served: {m}"
    if "unbound" in program().name:
        return m         # its verdict is compared, not its words
    told = [code for code, text in ede(m) if why in text]
    assert not codes or set(told) & set(codes), f"extended errors {ede(m)}, wanted {codes} {why!r}"
    return m
