#!/usr/bin/python3
"""Runs a suite, passes its output through and keeps its counts, so that many runners end in one line.

  tally.py start                         forget earlier counts
  tally.py script NAME COMMAND...        one test: exit 0 passed, 77 skipped, anything else failed
  tally.py meson NAME BUILD ARGS...      `meson test -C BUILD ARGS...`, one a test program
  tally.py pytest NAME COMMAND...        pytest, one a test function; none collected is a skip
  tally.py sum [--failed N]              the last line, `N passed, N failed, N skipped`; exits 1 when any failed or none
                                         passed; N more failures found outside

A suite that fails does not stop the next one: it is `sum` that says no.
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

SECONDS_MAX = 540          # one suite; the whole of `make test` has ten minutes
DIR = pathlib.Path(os.environ.get('TALLY', 'build/tally'))


def run(command):
    """The exit status; what hangs is ended with all it started, by its own process group."""
    print('==', ' '.join(map(str, command)), flush=True)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return child.wait(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        print(f'== longer than {SECONDS_MAX} s, ended', flush=True)
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        return 124


def run_script(name, command):
    status = run(command)
    return (status == 0, status not in (0, 77), status == 77), status


def run_meson(name, args):
    build, *rest = args
    log = pathlib.Path(build) / 'meson-logs' / 'testlog.json'
    log.unlink(missing_ok=True)
    status = run(['meson', 'test', '-C', build, '--print-errorlogs', *rest])
    counts = {'OK': 0, 'SKIP': 0, 'bad': 0}
    for line in log.read_text().splitlines() if log.exists() else ():
        result = json.loads(line)['result'].replace('EXPECTEDFAIL', 'OK')
        counts[result if result in counts else 'bad'] += 1
    if status != 0 and counts['bad'] == 0:
        counts['bad'] = 1
    return (counts['OK'], counts['bad'], counts['SKIP']), status


def run_pytest(name, command):
    report = DIR / f'{name}.xml'
    report.unlink(missing_ok=True)
    status = run([*command, f'--junitxml={report}'])
    if status == 5:
        return (0, 0, 1), 0
    if not report.exists():
        return (0, 1, 0), status
    total = bad = skipped = 0
    for suite in xml.parse(report).getroot().iter('testsuite'):
        total += int(suite.get('tests', 0))
        bad += int(suite.get('failures', 0)) + int(suite.get('errors', 0))
        skipped += int(suite.get('skipped', 0))
    if status != 0 and bad == 0:
        bad = 1
    return (max(0, total - bad - skipped), bad, skipped), status


RUNNERS = {'script': run_script, 'meson': run_meson, 'pytest': run_pytest}


def keep(kind, name, command):
    DIR.mkdir(parents=True, exist_ok=True)
    if not re.fullmatch(r'[\w.-]+', name):
        sys.exit(f'tally: {name}: a plain word was expected')
    began = time.monotonic()
    try:
        counts, status = RUNNERS[kind](name, command)
    except OSError as error:
        print(f'tally: {error}')
        counts, status = (0, 1, 0), 127
    (DIR / f'{name}.txt').write_text(json.dumps([*map(int, counts), round(time.monotonic() - began, 1)]))
    if status not in (0, 77):
        print(f'== {name}: exit status {status}', flush=True)


def print_sum(more_failed):
    passed, failed, skipped = 0, more_failed, 0
    for path in sorted(DIR.glob('*.txt')):
        ok, bad, left, secs = json.loads(path.read_text())
        print(f'{path.stem:20} {ok:5} passed {bad:4} failed {left:4} skipped {secs:7.1f} s')
        passed, failed, skipped = passed + ok, failed + bad, skipped + left
    print(f'{passed} passed, {failed} failed, {skipped} skipped', flush=True)
    return 1 if failed or not passed else 0


def main(args):
    if args == ['start']:
        for path in DIR.glob('*'):
            path.unlink()
        return 0
    if args[:1] == ['sum']:
        return print_sum(int(args[2]) if args[1:2] == ['--failed'] else 0)
    if len(args) < 3 or args[0] not in RUNNERS:
        print(__doc__, file=sys.stderr)
        return 2
    keep(args[0], args[1], args[2:])
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
