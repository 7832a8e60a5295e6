#!/usr/bin/python3
"""The include table: who may look at whom. Reads every #include line under src/ and test/ and fails on one that the
table does not hold, on a system header that a pure folder has no use for, and on headers that include each other in a
circle."""
import pathlib
import re
import sys

# folder: the folders whose headers it may include
TABLE = {
    'base': {'base'},
    'crypto': {'base', 'crypto'},
    'wire': {'base', 'wire'},
    'proto': {'base', 'crypto', 'proto'},
    'core': {'base', 'crypto', 'wire', 'core'},
    'plugin': {'base', 'wire', 'core', 'plugin'},
    'conf': {'base', 'wire', 'core', 'plugin', 'conf'},
    'io': {'base', 'io'},
    'app': {'base', 'crypto', 'wire', 'proto', 'core', 'plugin', 'conf', 'io', 'app'},
}
# single files that may look further than their folder: (pattern of the path, folders)
EXCEPTIONS = [
    (r'src/wire/tsig\w*\.[ch]', {'crypto'}),
]
# single files that wrap a system header: path, header
# the locks below app: a cache's shard, and those who change trust anchors
WRAPPERS = {('src/core/cache.c', 'pthread.h'), ('src/core/anchorage.c', 'pthread.h')}
# The oracle of the simulator knows the truth because it made the world, not because it asked the code under test.
ORACLE = (r'test/sim/((tree|truth|world|zones|cluster_(truth|expect))\.[ch]|fake\.h)', {'base', 'wire', 'test', 'sim'})

# What a folder that may not touch the world can need of the C library (its calls are judged by tools/purity.sh).
PURE = {'wire', 'core', 'plugin'}
PURE_HEADERS = {'assert.h', 'ctype.h', 'inttypes.h', 'limits.h', 'math.h', 'stdalign.h', 'stdarg.h', 'stdatomic.h',
                'stdbool.h', 'stddef.h', 'stdint.h', 'stdio.h', 'stdlib.h', 'string.h', 'strings.h'}
# library header: the folders that wrap it
LIBRARIES = {
    'openssl/': {'crypto', 'proto'},
    'sodium': {'base', 'crypto'},
    'pcre2.h': {'plugin'},
    'jansson.h': {'base'},
    'libfyaml.h': {'base'},
    'libpsl.h': {'core', 'plugin', 'conf', 'app'},
    'civetweb.h': {'app'},
    'curl/': {'app'},
    'cap-ng.h': {'app', 'io'},
    'sys/socket.h': {'io', 'app'},
    'sys/epoll.h': {'io', 'app'},
    'netinet/': {'io', 'app'},
    'pthread.h': {'io', 'app'},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def includes(path):
    for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '<', match.group(2)


def is_test(path):
    return path.parts[0] == 'test' or re.search(r'_(test|fuzz)\.[ch]$', path.name) is not None


def allowed_folders(path):
    """The folders that the file may include; None for all of them."""
    text = path.as_posix()
    if re.fullmatch(ORACLE[0], text):
        return ORACLE[1]
    if path.parts[0] == 'test' or path.parts[0] == 'bench':
        return None
    folders = set(TABLE[path.parts[1]])
    for pattern, more in EXCEPTIONS:
        if re.fullmatch(pattern, text):
            folders |= more
    return folders | {'test'} if is_test(path) else folders


def judge_system(path, header):
    folder = path.parts[1]
    if (path.as_posix(), header) in WRAPPERS:
        return None
    for prefix, folders in LIBRARIES.items():
        if header.startswith(prefix) and folder not in folders:
            return f'<{header}> belongs to {", ".join(sorted(folders))}'
    if folder in PURE and header not in PURE_HEADERS and not any(header.startswith(p) for p in LIBRARIES):
        return f'<{header}>: {folder} is pure and has no use for it'
    return None


def judge(root, path):
    folders = allowed_folders(path)
    for number, system, header in includes(root / path):
        why = None
        if system:
            why = None if is_test(path) or path.parts[0] != 'src' else judge_system(path, header)
        elif '/' not in header:
            if not (root / path.parent / header).exists():
                why = f'"{header}": write the folder, as "base/span.h"'
        elif folders is not None and header.split('/')[0] not in folders:
            why = f'"{header}": {"/".join(path.parts[:2])} may include {", ".join(sorted(folders))} alone'
        if why:
            yield f'{path}:{number}: {why}'


def circles(root):
    """One line for each header that includes itself by way of others."""
    headers = {p.relative_to(root / 'src').as_posix(): p for p in (root / 'src').rglob('*.h')}
    edges = {name: [h for _, system, h in includes(p) if not system and h in headers] for name, p in headers.items()}
    done = set()

    def walk(name, path):
        if name in path:
            yield 'src: include circle: ' + ' -> '.join(path[path.index(name):] + [name])
            return
        if name not in done:
            for other in edges[name]:
                yield from walk(other, path + [name])
            done.add(name)

    for name in sorted(edges):
        yield from walk(name, [])


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    paths = sorted(p.relative_to(root) for top in ('src', 'test') for p in (root / top).rglob('*.[ch]'))
    wrong = []
    for path in paths:
        if path.parts[0] == 'src' and (len(path.parts) < 3 or path.parts[1] not in TABLE):
            wrong.append(f'{path}: the table of tools/layers.py has no such folder')
        else:
            wrong += judge(root, path)
    wrong += circles(root)
    print('\n'.join(wrong + [f'layers: {len(paths)} files, {len(wrong)} forbidden includes']))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
