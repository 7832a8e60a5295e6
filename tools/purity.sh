#!/bin/bash
# nm is the judge: the archives of wire, core and plugin (and base, by a longer list) may need nothing from outside
# but what stands here. No socket, clock, file, thread, log or malloc can hide in them.
#   tools/purity.sh [BUILD]      BUILD without sanitizers, whose own calls would show
set -u
build=${1:-build}
pure='memcpy|memmove|memset|memcmp|memchr|memrchr|memmem|strlen|strnlen|strcmp|strncmp|strchr|strrchr|strcspn|strspn'
pure="$pure|strpbrk|strstr"
pure+='|strcasecmp|strncasecmp|strtol|strtoul|strtoull|strtod|snprintf|vsnprintf|qsort|bsearch'
pure+='|__ctype_(b|tolower|toupper)_loc'
pure+='|tolower|toupper|isalnum|isdigit|__isoc[0-9]+_strtou?ll?|(log2?|exp2?|pow|sqrt|ceil|floor|lround)f?'
compiler='__stack_chk_fail|__(mem|str|v?sn)[a-z]*_chk|_GLOBAL_OFFSET_TABLE_|__popcountdi2'
# base alone: memory, the way out of an ASSERT, address text, and libsodium's generators and hashes
base='malloc|calloc|realloc|free|malloc_usable_size|aligned_alloc|mmap(64)?|munmap|madvise|abort|stderr'
# libjansson and libfyaml read text in memory, and what they make of it is copied and freed at once (base/json).
base+='|json_[a-z_]+|fy_[a-z_]+'
base+='|fprintf|__fprintf_chk|fputs|fputc|fwrite|inet_(pton|ntop)|crypto_[a-z0-9_]+|sodium_[a-z0-9_]+'
# What base offers and wire may not use: it allocates from arenas alone. core and plugin take what outlives a query
# (pools, caches, tables of counters) from base/heap, which counts it.
forbidden='heap_(new|free|pages|pages_free)'
# libpsl reads its built-in table in memory; nothing is loaded.
psl='psl_(builtin|registrable_domain|unregistrable_domain|is_public_suffix2?)'

# libpcre2 gets its memory from us and looks at nothing else.
pcre2='pcre2_[a-z_]+_8'

defined() { nm --defined-only "$@" 2>/dev/null | awk 'NF >= 3 && $2 ~ /^[A-Z]$/ { print $3 }' | sort -u; }
# The cache's writers lock their shard, those of the trust anchors their table: the only locks below app.
wanted()
{
	nm -A -u "$1" 2>/dev/null | sed 's/.*:\([^:]*\.o\): */\1 /' | awk '$2 == "U" { print $1, $3 }' |
		grep -vE '^([^ ]*/)?(cache|anchorage)\.c\.o pthread_mutex_(init|destroy|lock|trylock|unlock)(@.*)?$' |
		awk '{ print $2 }' | sort -u
}

# judge FOLDER ALLOWED ARCHIVES-IT-MAY-LINK...
judge()
{
	local folder=$1 allowed=$2 archive=$build/src/$1/lib$1.a below=() name
	shift 2
	if [ ! -f "$archive" ]; then
		if ls src/"$folder"/*.c >/dev/null 2>&1; then
			echo "purity: $archive is not there although src/$folder has sources; build first"
			return 1
		fi
		echo "purity: $folder: no sources yet"
		return 0
	fi
	for name in "$folder" "$@"; do
		[ ! -f "$build/src/$name/lib$name.a" ] || below+=("$build/src/$name/lib$name.a")
	done
	local bad
	bad=$(comm -23 <(wanted "$archive") <(defined "${below[@]}") | grep -vxE "($allowed|$compiler)(@.*)?")
	[ "$folder" != wire ] || bad+=" $(wanted "$archive" | grep -xE "$forbidden")"
	bad=$(echo $bad)
	if [ -n "$bad" ]; then
		echo "purity: src/$folder may not call: $bad"
		for name in $bad; do nm -A -u "$archive" 2>/dev/null | grep -wE " U $name"; done
		return 1
	fi
	echo "purity: $folder: clean, $(wanted "$archive" | wc -l) symbols looked at"
}

cd "$(dirname "$0")/.." || exit 2
status=0
judge base "$pure|$base" || status=1
judge wire "$pure" base crypto || status=1
# secrets that a signed message was checked with are wiped (core/courier)
judge core "$pure|$psl|explicit_bzero|__explicit_bzero_chk" base wire crypto || status=1
judge plugin "$pure|$psl|$pcre2" base wire core || status=1
exit $status
