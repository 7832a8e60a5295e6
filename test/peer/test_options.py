"""Every option that the installed unbound knows is known to our parser: from its manual page, and judged by its own
checker where that is installed."""
import gzip
import pathlib
import re
import shutil
import subprocess

import pytest

from ns import program

MANUALS = [pathlib.Path('/usr/share/man/man5/unbound.conf.5.gz'), pathlib.Path('/usr/share/man/man5/unbound.conf.5')]
REAL = '/usr/sbin/unbound-checkconf'
CLAUSES = ['server', 'remote-control', 'stub-zone', 'forward-zone', 'auth-zone', 'rpz', 'view', 'python', 'dynlib',
           'dnscrypt', 'cachedb', 'dnstap', 'ipset']
BACKPORTED = {'wait-limit-netblock'}    # by Debian, with one value fewer than its manual says
NAMED = ['stub-zone', 'forward-zone', 'view']
TWO = ['access-control', 'access-control-tag', 'access-control-view', 'edns-client-string', 'interface-action',
       'interface-tag', 'interface-view', 'local-zone', 'local-zone-tag', 'ratelimit-below-domain',
       'ratelimit-for-domain', 'response-ip', 'response-ip-data', 'response-ip-tag', 'tcp-connection-limit',
       'wait-limit-netblock', 'wait-limit-cookie-netblock']
THREE = ['access-control-tag-action', 'access-control-tag-data', 'interface-tag-action', 'interface-tag-data',
         'local-zone-override']
NO_OPTIONS = {'include', 'include-toplevel', *CLAUSES}


def manual_options():
    """Names of options in the manual page, in order, without clauses."""
    for path in MANUALS:
        if path.exists():
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == '.gz' else data).decode(errors='replace')
            names = re.findall(r'^\.TP.*\n\.BI? ([a-z0-9\\-]+):', text, re.M)
            return list(dict.fromkeys(n.replace('\\', '') for n in names if n.replace('\\', '') not in NO_OPTIONS))
    return []


OPTIONS = manual_options()


@pytest.fixture(scope='module')
def check(tmp_path_factory):
    if 'unbound' in program().name:
        pytest.skip('the packaged program is not compared with itself')
    folder = tmp_path_factory.mktemp('options')
    borrowed = folder / 'unbound-checkconf'
    borrowed.symlink_to(program())

    def run(tool, text):
        conf = folder / 'x.conf'
        conf.write_text(text)
        command = [program(), 'check', conf] if tool == run.signet else [tool, conf]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    run.ours = borrowed
    run.signet = 'check'
    run.folder = folder
    return run


@pytest.mark.skipif(not OPTIONS, reason='needs the manual page unbound.conf(5)')
def test_the_manual_is_read():
    assert len(OPTIONS) > 250 and {'port', 'forward-addr', 'dnstap-enable', 'ratelimit-below-domain'} <= set(OPTIONS)


@pytest.mark.skipif(not OPTIONS, reason='needs the manual page unbound.conf(5)')
def test_each_option_of_the_manual_is_known(check):
    said = check(check.signet, 'server:\n' + ''.join(f'{name}: x\n' for name in OPTIONS)).stderr
    assert not re.findall(r"unknown keyword '([a-z0-9-]{2,})'", said)


@pytest.mark.skipif(not (OPTIONS and shutil.which(REAL)), reason='needs unbound-checkconf and unbound.conf(5)')
def test_each_option_stands_in_the_same_clauses(check):
    """Where ours takes an option the real one must. It stops at its first syntax error, so what it refuses is taken out
    and the rest is read again."""
    taken = []
    for clause in CLAUSES:
        values = [f'{name}: {" ".join("1" * (3 if name in THREE else 2 if name in TWO else 1))}' for name in OPTIONS
                  if name not in BACKPORTED]
        said = check(check.signet, f'{clause}:\n' + ''.join(f'{value}\n' for value in values)).stderr
        refused = {int(line) - 2 for line in re.findall(r'x\.conf:(\d+):\d+: syntax error', said)}
        taken += [(clause, value) for k, value in enumerate(values) if k not in refused]
    assert len(taken) > len(OPTIONS)
    differ = []
    for _ in range(20):
        lines = [line for clause, value in taken
                 for line in (f'{clause}:', value, 'name: x' if clause in NAMED else '')]
        match = re.search(r'x\.conf:(\d+): error: syntax error', check(REAL, '\n'.join(lines) + '\n').stderr)
        if match is None:
            break
        differ.append(taken.pop((int(match.group(1)) - 1) // 3))
    assert not differ


@pytest.mark.skipif(not (OPTIONS and shutil.which(REAL)), reason='needs unbound-checkconf and unbound.conf(5)')
def test_each_option_prints_a_value(check):
    """-o, with nothing configured: defaults of that release differ from today's in a few places alone."""
    newer = {'max-udp-size', 'num-queries-per-thread', 'so-sndbuf', 'serve-expired-ttl', 'serve-expired-client-timeout',
             'module-config', 'msg-cache-slabs', 'rrset-cache-slabs', 'infra-cache-slabs', 'key-cache-slabs',
             'ratelimit-slabs', 'ip-ratelimit-slabs'}
    differ = []
    (check.folder / 'empty.conf').write_text('')
    for name in OPTIONS:
        real, ours = (subprocess.run([tool, '-o', name, check.folder / 'empty.conf'], capture_output=True, text=True,
                                     timeout=20, check=False) for tool in (REAL, check.ours))
        if real.returncode == 0 and name not in newer and (ours.returncode, ours.stdout) != (0, real.stdout):
            differ.append(f'{name}: real {real.stdout!r}, ours {ours.stdout!r}')
    assert not differ, '\n'.join(differ)
