/* ctl: speak to the running program. */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "app/ctl_words.h"
#include "base/heap.h"
#include "io/local.h"

#define WAIT_SECONDS 30u     /* a reload binds sockets and reads files */
#define STATUS_USAGE 2
#define STATUS_WORLD 3

void ctl_help(FILE *to)
{
	fputs("usage: signet ctl [--socket PATH] [--json] COMMAND\n"
	      "  Speaks to the running program over its control socket, " CTL_SOCKET "\n"
	      "  (signet: control-socket: PATH in its configuration). Root and the program's own user may.\n\n", to);
	for (unsigned i = 0; i < CTL_COUNT; i++)
		fprintf(to, "  %-8s %-28s %s\n", ctl_rows[i].word, ctl_rows[i].arguments, ctl_rows[i].what);
	fputs("\n  Exit status: 0 yes; 1 the answer is no (a reload refused, no such negative anchor); 2 usage;\n"
	      "  3 nobody answers.\n\n"
	      "  In place of unbound-control's\n", to);
	for (unsigned i = 0; i < CTL_COUNT; i++) {
		if (*ctl_rows[i].theirs != 0)
			fprintf(to, "    %-66s  signet ctl %s\n", ctl_rows[i].theirs, ctl_rows[i].word);
	}
	fputs("\n  example: signet ctl flush --below example.com\n", to);
}

static int usage(const char *what)
{
	fprintf(stderr, "signet ctl: %s\n", what);
	return STATUS_USAGE;
}

/* What the program said: its exit status, then text. */
static int show(struct span answer)
{
	bool good = answer.n >= 2 && answer.p[0] >= '0' && answer.p[0] <= '3' && answer.p[1] == '\n';
	if (!good) {
		fputs("signet ctl: the connection ended without an answer; only root and the program's own user are "
		      "listened to\n", stderr);
		return STATUS_WORLD;
	}
	int status = answer.p[0] - '0';
	FILE *to = status == STATUS_USAGE ? stderr : stdout;
	bool written = fwrite(answer.p + 2, 1, answer.n - 2, to) == answer.n - 2;
	return fflush(to) == 0 && written ? status : STATUS_WORLD;
}

static int call(const char *path, struct span line)
{
	char text[512];
	struct buf why = buf_on(text, sizeof(text));
	struct buf answer = buf_on(heap_new(CTL_ANSWER_MAX + 2), CTL_ANSWER_MAX + 2);
	int status = STATUS_WORLD;
	if (local_call(path, line, WAIT_SECONDS, &answer, &why) == OK)
		status = show(buf_span(&answer));
	else
		fprintf(stderr, "signet ctl: %s\n"
		        "  Is it running (systemctl status signet)? Its log says so when it has no socket; --socket "
		        "PATH asks at another.\n", buf_cstr(&why));
	heap_free(answer.p);
	return status;
}

/* The words as one line, as they would be typed. False: they are too many, or one is none. */
static bool join(int argc, char **argv, struct buf *line)
{
	for (int i = 0; i < argc; i++) {
		if (*argv[i] == 0 || strpbrk(argv[i], " \t\r\n") != NULL)
			return false;
		if (i > 0)
			buf_u8(line, ' ');
		buf_text(line, argv[i]);
	}
	return buf_ok(line) && line->n < line->cap;
}

int command_ctl(int argc, char **argv)
{
	const char *path = CTL_SOCKET;
	char text[CTL_LINE_MAX], said[512];
	struct buf line = buf_on(text, sizeof(text)), why = buf_on(said, sizeof(said));
	struct ctl_request r;
	int at = 1;
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		ctl_help(stdout);
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "--socket") == 0) {
		path = argv[2];
		at = 3;
	}
	if (at == argc) {
		ctl_help(stderr);
		return STATUS_USAGE;
	}
	if (!join(argc - at, argv + at, &line))
		return usage("a word is empty, too long, or has a space in it; expected a command that "
		             "'signet help ctl' lists (in a name, a space is \\032)");
	if (ctl_parse(buf_span(&line), &r, &why) != OK)
		return usage(buf_cstr(&why));
	buf_u8(&line, '\n');
	return call(path, buf_span(&line));
}
