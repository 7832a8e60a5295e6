"""make install: what it puts where, what it leaves alone, and that systemd and man can read it."""
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def install(dest, prefix='/usr/local'):
    """Runs make install into dest; returns what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(('MAKE', 'MFLAGS'))}
    done = subprocess.run(['make', '-s', 'install', f'DESTDIR={dest}', f'prefix={prefix}'], cwd=ROOT, text=True,
                          capture_output=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    dest = tmp_path_factory.mktemp('root')
    install(dest)
    return dest


def test_program_runs_from_there(tree):
    program = tree / 'usr/local/sbin/signet'
    assert program.stat().st_mode & 0o777 == 0o755 and not program.is_symlink()
    done = subprocess.run([program, 'help'], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and 'check' in done.stdout


@pytest.mark.parametrize('name', ['unbound', 'unbound-checkconf', 'delv'])
def test_borrowed_names_stay_in_libexec(tree, name):
    link = tree / 'usr/local/libexec/signet/bin' / name
    assert link.is_symlink() and not os.path.isabs(os.readlink(link))
    assert link.resolve() == (tree / 'usr/local/sbin/signet').resolve()
    assert not any((tree / 'usr/local' / folder / name).exists() for folder in ('bin', 'sbin'))


def test_borrowed_name_takes_that_programs_flags(tree):
    done = subprocess.run([tree / 'usr/local/libexec/signet/bin/unbound-checkconf',
                           tree / 'etc/signet/signet.conf'], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and 'no errors' in done.stdout, done.stdout + done.stderr


def test_example_configuration_is_accepted(tree):
    done = subprocess.run([tree / 'usr/local/sbin/signet', 'check', tree / 'etc/signet/signet.conf'],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


def test_unit_has_its_paths_and_its_second_name(tree):
    units = tree / 'usr/local/lib/systemd/system'
    text = (units / 'signet.service').read_text()
    assert 'ExecStart=/usr/local/sbin/signet run\n' in text and '@prefix@' not in text
    assert 'Type=notify' in text and 'NoNewPrivileges=yes' in text and 'Conflicts=unbound.service' in text
    assert os.readlink(units / 'unbound.service') == 'signet.service'


def test_guides_word_enables_it(tree):
    if shutil.which('systemctl') is None:
        pytest.skip('systemctl is not installed')
    done = subprocess.run(['systemctl', f'--root={tree}', 'enable', 'unbound'], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 0, done.stderr
    assert (tree / 'etc/systemd/system/multi-user.target.wants/signet.service').is_symlink()


def test_systemd_accepts_the_unit(tmp_path):
    """Verified with the program in the place the unit names, so the only complaint left is man's page not being
    installed on this machine."""
    if shutil.which('systemd-analyze') is None:
        pytest.skip('systemd-analyze is not installed')
    text = (ROOT / 'deploy/systemd/signet.service').read_text().replace('@prefix@/sbin/signet', '/bin/true')
    unit = tmp_path / 'signet.service'
    unit.write_text(text)
    done = subprocess.run(['systemd-analyze', 'verify', '--man=no', unit], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and str(unit.name) not in done.stderr, done.stderr


def test_system_user(tree):
    text = (tree / 'usr/local/lib/sysusers.d/signet.conf').read_text()
    assert any(line.split()[:2] == ['u', 'signet'] for line in text.splitlines())


def test_manual_page_is_clean(tree):
    page = tree / 'usr/local/share/man/man8/signet.8'
    assert '@prefix@' not in page.read_text()
    if shutil.which('man') is None:
        pytest.skip('man is not installed')
    done = subprocess.run(['man', '--warnings', '-l', page], capture_output=True, text=True, timeout=20,
                          env={**os.environ, 'MANWIDTH': '100', 'LC_ALL': 'C.UTF-8'})
    assert done.returncode == 0 and 'SYNOPSIS' in done.stdout and done.stderr == ''


def test_prefix_and_what_is_there_stay(tmp_path):
    """A distribution's unit and a user's configuration are not touched; a second install changes nothing."""
    unit = tmp_path / 'lib/systemd/system/unbound.service'
    conf = tmp_path / 'etc/signet/signet.conf'
    for path in (unit, conf):
        path.parent.mkdir(parents=True)
        path.write_text('mine\n')
    first = install(tmp_path, prefix='/usr')
    assert (tmp_path / 'usr/sbin/signet').exists() and not (tmp_path / 'usr/local').exists()
    assert unit.read_text() == conf.read_text() == 'mine\n'
    assert not (tmp_path / 'usr/lib/systemd/system/unbound.service').exists()
    listed = sorted(str(p) for p in tmp_path.rglob('*'))
    assert install(tmp_path, prefix='/usr') == first
    assert sorted(str(p) for p in tmp_path.rglob('*')) == listed


def test_unbounds_own_configuration_is_not_shadowed(tmp_path):
    (tmp_path / 'etc/unbound').mkdir(parents=True)
    (tmp_path / 'etc/unbound/unbound.conf').write_text('server:\n')
    install(tmp_path)
    assert not (tmp_path / 'etc/signet/signet.conf').exists()


def test_helper_for_http_is_found_from_there(tree):
    helper = tree / 'usr/local/libexec/signet/signet-fetch'
    assert helper.stat().st_mode & 0o777 == 0o755
    done = subprocess.run([helper], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and 'part of signet' in done.stderr
