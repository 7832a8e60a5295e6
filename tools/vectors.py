#!/usr/bin/python3
"""Make src/wire/vectors.txt: for each record type text, wire form and canonical form, as other programs see them.

The wire form is what at least two of dnspython, ldns and BIND make of the text. The canonical form (RFC4034 6.2) is
what both dnspython and ldns make of it; where dnspython does not know the type or is alone with its wire form, BIND
decides: the row stands if ldns, with its canonical form, verifies BIND's signature over the record. What they differ
about is printed, and left out when nothing is settled.
Without arguments the file is written; with --check it is compared."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, 'src/wire/rrtypes.def')
FILE = os.path.join(ROOT, 'src/wire/vectors.txt')
PROGRAMS = ('ldns-read-zone', 'ldns-verify-zone', 'named-rrchecker', 'dnssec-keygen', 'dnssec-signzone')
SECS = 30   # for one run of another program

B64 = 'AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh'
DIGEST = 'D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A'

TEXTS = [
    ('A', '192.0.2.1'), ('A', '0.0.0.0'), ('A', '255.255.255.255'),
    ('NS', 'Ns1.Example.COM.'), ('NS', '.'), ('NS', r'a\.b.c\046d.\000\255.Example.'),
    ('MD', 'Mail.Example.'), ('MF', 'Mail.Example.'),
    ('CNAME', 'Www.Example.'), ('CNAME', '*.wild.example.'), ('CNAME', r'a\(b\)\;\"\@\$.x.'),
    ('CNAME', '.'.join(['x' * 63] * 3 + ['y' * 61]) + '.'),
    ('SOA', 'Ns.Example. Host\\.Master.Example. 2026112200 3600 900 604800 300'),
    ('SOA', '. . 4294967295 0 1 2147483647 4294967295'), ('SOA', 'a. b. 1 1h 15m 1w2d 1d3h4m5s'),
    ('MB', 'Mb.Example.'), ('MG', 'Mg.Example.'), ('MR', 'Mr.Example.'),
    ('NULL', r'\# 0'), ('NULL', r'\# 4 00FF0A80'),
    ('WKS', '192.0.2.1 6 25 53 80'), ('WKS', '192.0.2.1 17 0 7 8'), ('WKS', '192.0.2.1 6 1023'),
    ('PTR', 'Host.Example.'),
    ('HINFO', '"RFC8482" ""'), ('HINFO', r'"PC \"x\" \\ y" Unix'), ('HINFO', r'"\000\009\127\255" a\;b'),
    ('MINFO', 'Resp.Example. Err.Example.'),
    ('MX', '10 Mail.Example.'), ('MX', '0 .'), ('MX', '65535 a.b.c.d.e.f.'),
    ('TXT', '"v=spf1 -all"'), ('TXT', 'one two "three four" ""'), ('TXT', '"' + 'x' * 255 + '" "y"'),
    ('TXT', r'"semi;colon (paren) \"quote\" back\\slash \200"'),
    ('RP', 'Mail.Example. Text.Example.'), ('AFSDB', '1 Afs.Example.'),
    ('AAAA', '2001:db8::1'), ('AAAA', '::'), ('AAAA', '::ffff:192.0.2.1'), ('AAAA', '1:2:3:4:5:6:7:8'),
    ('AAAA', 'FE80::ABCD:0:0:1'),
    ('SRV', '1 2 443 Host.Example.'), ('SRV', '0 0 0 .'),
    ('NAPTR', '100 10 "U" "E2U+sip" "!^.*$!sip:info@example.com!" .'),
    ('NAPTR', '1 2 "" "" "" Replace.Example.'),
    ('KX', '10 Kx.Example.'),
    ('DNAME', 'Target.Example.'),
    ('DS', '60485 13 2 ' + DIGEST), ('DS', '0 RSASHA256 1 ' + DIGEST[:20] + ' ' + DIGEST[20:40]),
    ('SSHFP', '4 2 ' + DIGEST),
    ('RRSIG', 'A 8 3 86400 20030322173103 20030220173103 2642 Example.COM. ' + B64),
    ('RRSIG', 'TYPE65280 13 0 0 21060207062815 19700101000000 65535 . AA=='),
    ('NSEC', 'Host.Example.COM. A MX RRSIG NSEC TYPE1234'), ('NSEC', '. CAA A'),
    ('NSEC', r'\000.a. TYPE65535 TYPE256 A TYPE255'),
    ('DNSKEY', '256 3 5 ' + B64), ('DNSKEY', '257 3 ECDSAP256SHA256 AQID BAUG'),
    ('NSEC3', '1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG'),
    ('NSEC3', '1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A'),
    ('NSEC3PARAM', '1 0 12 AABBCCDD'), ('NSEC3PARAM', '1 0 0 -'),
    ('TLSA', '3 1 1 ' + DIGEST), ('SMIMEA', '3 0 1 ' + DIGEST),
    ('CDS', '60485 5 1 ' + DIGEST[:40]), ('CDS', '0 0 0 00'),
    ('CDNSKEY', '257 3 13 ' + B64), ('CDNSKEY', '0 3 0 AA=='),
    ('OPENPGPKEY', B64), ('CSYNC', '66 3 A NS AAAA'), ('CSYNC', '0 0 TYPE300'),
    ('ZONEMD', '2018031900 1 1 ' + DIGEST + DIGEST[:32]),
    ('SVCB', '0 Pool.Example.'), ('SVCB', '16 Foo.Example. port=53'),
    ('SVCB', '1 foo.example. key667=hello'), ('SVCB', r'1 foo.example. key667="hello\210qoo"'),
    ('SVCB', '1 foo.example. ipv6hint="2001:db8::1,2001:db8::53:1"'),
    ('SVCB', '16 foo.example. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1'),
    ('SVCB', r'16 foo.example. alpn="f\\\\oo\\,bar,h2"'), ('SVCB', '1 . dohpath=/dns-query{?dns} alpn=h2'),
    ('HTTPS', '1 . alpn="h2,h3" no-default-alpn port=8443'), ('HTTPS', '0 Alias.Example.'),
    ('HTTPS', '1 . ech=AEX+DQBBFQAgACC92g== ipv4hint=192.0.2.1,192.0.2.2'),
    ('SPF', '"v=spf1 -all" x'), ('URI', '10 1 "ftp://ftp1.example.com/public"'),
    ('CAA', '0 issue "letsencrypt.org"'), ('CAA', '128 issuewild ";"'),
    ('CAA', r'0 iodef "mailto:a\"b@example.com"'), ('CAA', '0 issue "ca.example; accounturi=https://x/1"'),
    ('TYPE65280', r'\# 5 0102 0304FF'), ('A', r'\# 4 C0000201'), ('MX', r'\# 5 000A 0141 00'),
]


def dnspython(kind, text):
    try:
        import dns.name
        import dns.rdata
        import dns.rdataclass
        import dns.rdatatype
        number = dns.rdatatype.from_text(kind)
        rdata = dns.rdata.from_text(dns.rdataclass.IN, number, text, origin=dns.name.root,
                                    relativize=False)
        return rdata.to_wire().hex(), rdata.to_digestable().hex()
    except Exception:   # noqa: any refusal is an opinion
        return None, None


def run(argv, text):
    return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=SECS)


def generic(output, number):
    """The \\# form of a record in some program's output, as hex."""
    for line in output.splitlines():
        m = re.search(r'\sTYPE%d\s+\\# (\d+)\s*([0-9A-Fa-f ]*)' % number, line)
        if m:
            wire = m.group(2).replace(' ', '').lower()
            return wire if len(wire) == 2 * int(m.group(1)) else None
    return None


def ldns(kind, text, number):
    soa = 'x.example. 3600 IN SOA a. b. 1 2 3 4 5\n' if kind != 'SOA' else ''
    forms = []
    unknown = [] if kind.startswith('TYPE') else ['-u', 'TYPE%d' % number]
    with tempfile.NamedTemporaryFile('w', suffix='.zone') as f:
        f.write(soa + 'x.example. 3600 IN %s %s\n' % (kind, text))
        f.flush()
        for option in ([], ['-c']):
            done = run(['ldns-read-zone', *option, *unknown, f.name], '')
            forms.append(generic(done.stdout, number) if done.returncode == 0 else None)
    return tuple(forms)


def bind(kind, text, number):
    done = run(['named-rrchecker', '-u'], 'IN %s %s\n' % (kind, text))
    return generic(done.stdout, number) if done.returncode == 0 else None


def signed(kind, text):
    """Does ldns verify what BIND signs? Then they have the same canonical form of this record."""
    with tempfile.TemporaryDirectory() as d:
        argv = ['dnssec-keygen', '-q', '-K', d, '-a', 'ECDSAP256SHA256', '-f', 'KSK', 'x.example']
        key = run(argv, '').stdout.strip()
        with open(os.path.join(d, key + '.key')) as f:
            dnskey = f.read()
        plain, done = os.path.join(d, 'plain'), os.path.join(d, 'signed')
        with open(plain, 'w') as f:
            f.write('x.example. 3600 IN SOA a. b. 1 2 3 4 5\nx.example. 3600 IN NS a.\n'
                    'r.x.example. 3600 IN %s %s\n%s' % (kind, text, dnskey))
        if run(['dnssec-signzone', '-z', '-d', d, '-K', d, '-o', 'x.example', '-f', done, plain], '').returncode != 0:
            return False
        return run(['ldns-verify-zone', done], '').returncode == 0


def rows():
    """Mnemonic to number of every row of the table."""
    with open(TABLE) as f:
        return {m.group(2): int(m.group(1)) for m in re.finditer(r'^RR\((\d+),\s*(\w+),', f.read(), re.M)}


def kind_folds(kind):
    with open(TABLE) as f:
        return re.search(r'^RR\(\d+,\s*%s,[^"]*RR_FOLD' % kind, f.read(), re.M) is not None


def judge(kind, text, number):
    """(wire, canonical, remarks); wire None when no two programs agree."""
    wires, canons = {}, {}
    wires['dnspython'], canons['dnspython'] = dnspython(kind, text)
    wires['ldns'], canons['ldns'] = ldns(kind, text, number)
    wires['BIND'] = bind(kind, text, number)
    remarks = []
    given = [w for w in wires.values() if w is not None]
    wire = max(set(given), key=given.count) if given else None
    if wire is None or given.count(wire) < 2:
        return None, None, ['no two agree: %r' % wires]
    for who, w in wires.items():
        if w != wire:
            remarks.append('%s: wire %s' % (who, w or 'refused'))
    canon = canons['dnspython']
    if canons['ldns'] != canon:
        remarks.append('canonical: dnspython %(dnspython)s, ldns %(ldns)s' % canons)
        canon = None
        if wires['ldns'] == wire and wires['dnspython'] != wire and signed(kind, text):
            canon = canons['ldns']
            remarks.append('canonical: ldns verifies BIND\'s signature')
        elif wires['ldns'] != wire and not kind_folds(kind) and canons['dnspython'] == wire:
            canon = wire
            remarks.append('canonical: the wire form, as nothing folds')
    return wire, canon, remarks


def quote(s):
    return '"' + s.replace('\\', '\\\\').replace('"', '\\"') + '"'


def make():
    """The file's text, and what was remarkable."""
    numbers, out, remarks = rows(), [], []
    for kind, text in TEXTS:
        number = numbers.get(kind) or int(kind[4:])
        wire, canon, said = judge(kind, text, number)
        remarks += ['%s %s: %s' % (kind, text, s) for s in said]
        if wire is None or canon is None:
            remarks.append('%s %s: LEFT OUT' % (kind, text))
            continue
        out.append('VECTOR("%s", %s, "%s", "%s")\n' % (kind, quote(text), wire, canon))
    head = ('/* type, text, wire form, canonical form (RFC4034 6.2). Made by tools/vectors.py from what '
            'dnspython,\n * ldns and BIND agree about; not written by hand. */\n')
    return head + ''.join(out), remarks


def absent():
    missing = [p for p in PROGRAMS if shutil.which(p) is None]
    try:
        import dns.rdata   # noqa: F401
    except ImportError:
        missing.append('dnspython')
    return missing


def main():
    missing = absent()
    if missing:
        sys.exit('vectors.py: absent: ' + ', '.join(missing))
    text, remarks = make()
    for r in remarks:
        print(r)
    if '--check' in sys.argv:
        with open(FILE) as f:
            sys.exit(0 if f.read() == text else 'vectors.txt differs from what the programs say')
    with open(FILE, 'w') as f:
        f.write(text)
    print('%d vectors' % text.count('VECTOR('))


if __name__ == '__main__':
    main()
