#!/usr/bin/python3
"""Style, enforced: what HACKING.md promises of every file and a compiler does not say. Prints FILE:LINE: what is wrong;
exits 1 if anything is. Looks at what git tracks or would track; without git, at every file."""
import os
import pathlib
import re
import subprocess
import sys

COLUMNS = 120              # 100 is the aim, this the end; a tab counts for eight
FUNCTION_LINES = 70
# The shape of what a library calls is the library's.
CALLED_BACK = re.compile(r'\s*nghttp2_session \*')
PARAMETERS = 5
FILE_LINES = 1000
MEMBERS = 24

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = {'.c', '.h', '.def', '.py', '.sh', '.md', '.build', '.txt', '.service', '.conf', '.8', '.yml', '.yaml', ''}
WIDE = {'.def', '.md', '.txt', '.8'}     # rows and prose: a line is as long as its sentence
# Words of work left undone, and places of one machine. Spelt in pieces, or this file would be its own finding.
UNDONE = re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X|HA' r'CK)\b|\bnot (yet )?imple' r'mented\b')
MACHINE = re.compile(r'(?<![\w.])/(wor' r'k|roo' r't|far' r'm|home/\w+)/|'
                     r'\b(deb' r'ian\.org|npm' r'js\.(org|com)|pyp' r'i\.org|cra' r'tes\.io|proxy\.gol' r'ang\.org)\b')
NOISE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)


def list_files():
    try:
        out = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', '-z'], cwd=ROOT, check=True,
                             capture_output=True).stdout.decode()
        return sorted(pathlib.Path(name) for name in out.split('\0') if name and (ROOT / name).is_file())
    except (OSError, subprocess.CalledProcessError):
        found = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [f for f in folders if not f.startswith(('.', 'build', '__pycache__'))]
            found += [(pathlib.Path(folder) / name).relative_to(ROOT) for name in names]
        return sorted(found)


def blank(match):
    """Comments and strings become spaces of the same shape; // stays visible as a finding."""
    text = match.group()
    if text.startswith('//'):
        return '//' + ' ' * (len(text) - 2)
    keep = text[0] if text[0] in '"\'' else ' '
    inner = ''.join(c if c in '\n\t' else ' ' for c in text[1:-1])
    return keep + inner + keep


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def split_top(text):
    """Split at commas outside brackets."""
    parts, depth, last = [], 0, 0
    for i, c in enumerate(text):
        depth += c in '([{'
        depth -= c in ')]}'
        if c == ',' and depth == 0:
            parts.append(text[last:i])
            last = i + 1
    return [p for p in (*parts, text[last:]) if p.strip()]


def closing(text, at):
    """Where the bracket at `at` closes."""
    depth = 0
    for i in range(at, len(text)):
        depth += text[i] in '({['
        depth -= text[i] in ')}]'
        if depth == 0:
            return i
    return len(text)


def judge_lines(lines, wide):
    for number, line in enumerate(lines, 1):
        if not wide and len(line.expandtabs(8)) > COLUMNS:
            yield number, f'{len(line.expandtabs(8))} columns; at most {COLUMNS}'
        if line != line.rstrip():
            yield number, 'white space at the end of the line'
        if UNDONE.search(line):
            yield number, 'a word of work left undone: finish it, or say what holds today'
        if MACHINE.search(line):
            yield number, 'a path of one machine or the host of a package registry'


def judge_functions(code, lines):
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith('{'):
            start = number
        elif line.startswith('}') and start is not None:
            if number - start > FUNCTION_LINES:
                yield start, f'a function of {number - start} lines; at most {FUNCTION_LINES}'
            start = None
        elif start is not None and line.startswith(' ') and line.strip():
            yield number, 'indented by spaces; tabs indent, spaces align behind them'
    for match in re.finditer(r'^[A-Za-z_][^;{}#=]*?\b(\w+)(\()', code, re.M):
        end = closing(code, match.start(2))
        if code[end + 1:end + 40].lstrip().startswith(('{', ';', 'MUST_CHECK', 'PRINTF')):
            given = code[match.start(2) + 1:end]
            n = len([p for p in split_top(given) if p.strip() not in ('void', '...')])
            if n > PARAMETERS and not CALLED_BACK.match(given):
                yield line_of(code, match.start(1)), f'{match.group(1)}: {n} parameters; at most {PARAMETERS}'


def judge_structs(code):
    for match in re.finditer(r'\b(?:struct|union)\s*(\w*)\s*\{', code):
        at = match.end() - 1
        body = code[at + 1:closing(code, at)]
        flat = re.sub(r'^\s*#.*$', '', body, flags=re.M)
        while re.search(r'\{[^{}]*\}', flat):
            flat = re.sub(r'\{[^{}]*\}', '', flat)
        n = sum(len(split_top(piece)) for piece in flat.split(';') if piece.strip())
        if n > MEMBERS:
            yield line_of(code, match.start()), f'struct {match.group(1)}: {n} members; at most {MEMBERS}'


def judge_c(path, text, lines):
    code = NOISE.sub(blank, text)
    yield from judge_functions(code, code.split('\n'))
    yield from judge_structs(code)
    for number, line in enumerate(code.split('\n'), 1):
        if '//' in line:
            yield number, '// is for private notes; /* */ stays'
        if re.search(r'\bgoto\b', line) and path.parts[:2] != ('src', 'io'):
            yield number, 'goto outside src/io'
        if re.match(r'\s*typedef\b.*\b\w+_t\s*;', line):
            yield number, 'a typedef named _t: struct x, or a unit'
        if re.match(r'\t* +\t', line):
            yield number, 'a tab behind spaces'


def unlisted(files):
    """C files that no meson.build names: nobody builds them."""
    listed = set()
    for path in files:
        if path.name == 'meson.build':
            for name in re.findall(r"'([^'\n]+\.c)'", (ROOT / path).read_text()):
                listed.add(pathlib.Path(os.path.normpath(path.parent / name)))
        elif path.name == 'plugins.def':
            for name in re.findall(r'^\w+\((\w+)', (ROOT / path).read_text(), re.M):
                listed.add(path.parent / f'{name}.c')
    for path in files:
        if path.suffix == '.c' and path not in listed:
            yield path, 1, 'no meson.build lists it'


def judge(path):
    if path.suffix not in TEXT or path.name == 'LICENSE':
        return
    try:
        text = (ROOT / path).read_text()
    except UnicodeDecodeError:
        return
    lines = text.split('\n')
    wide = path.suffix in WIDE
    yield from ((path, n, why) for n, why in judge_lines(lines, wide))
    if path.suffix in ('.c', '.h', '.py') and len(lines) > FILE_LINES + 1:
        yield path, len(lines), f'{len(lines)} lines; at most {FILE_LINES}: two nouns live here'
    if path.suffix in ('.c', '.h'):
        yield from ((path, n, why) for n, why in judge_c(path, text, lines))


def main():
    files = list_files()
    wrong = [row for path in files for row in judge(path)] + list(unlisted(files))
    for path, number, why in wrong:
        print(f'{path}:{number}: {why}')
    print(f'tidy: {len(files)} files, {len(wrong)} findings')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
