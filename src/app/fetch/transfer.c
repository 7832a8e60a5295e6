#include "app/fetch/transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/heap.h"
#include "io/clock.h"
#include "io/file.h"

#define CONNECT_MS 10000
#define HEADERS_MAX (64u * 1024u)     /* of one answer */
#define TYPE_MAX 128u
#define HOST_MAX 300u
#define WHY_MAX 320u
#define KEEPALIVE_SECS 15L            /* a peer that is gone is noticed within half a minute */
#define KEEPALIVE_STEP_SECS 5L
#define KEEPALIVE_TRIES 3
#define UNACKED_MS 30000

/* What came of the answer so far. */
struct answer {
	unsigned status;
	size_t headers;               /* bytes */
	bool said;                    /* the head is */
	bool too_large;
	char type[TYPE_MAX];
};

struct transfer {
	uint64_t fetch;
	struct outlet *out;
	struct arena arena;           /* the request, and what its files hold */
	struct frame_ask ask;
	CURL *easy;
	CURLU *url;
	struct curl_slist *headers, *way;    /* way: to which addresses the host's name leads */
	struct answer answer;
	msec last;                    /* when a byte came */
	uint64_t waited;              /* for the server, until then */
	char why[WHY_MAX];
	char error[CURL_ERROR_SIZE];
};

/* ---- what libcurl gives ---- */

static void take_header(struct answer *a, struct span line)
{
	static const char type[] = "content-type:";
	const char *p = (const char *)line.p;
	if (line.n > 12 && memcmp(p, "HTTP/", 5) == 0) {
		const char *blank = memchr(p, ' ', line.n);
		size_t left = blank == NULL ? 0 : line.n - (size_t)(blank - p);
		a->status = left < 4 ? 0 : (unsigned)((blank[1] - '0') * 100 + (blank[2] - '0') * 10 + blank[3] - '0');
		a->type[0] = 0;
	}
	if (line.n < sizeof(type) || strncasecmp(p, type, sizeof(type) - 1) != 0)
		return;
	size_t from = sizeof(type) - 1, to = line.n;
	while (from < to && (p[from] == ' ' || p[from] == '\t'))
		from++;
	while (to > from && (uint8_t)p[to - 1] <= ' ')
		to--;
	size_t n = MIN(to - from, TYPE_MAX - 1);
	memcpy(a->type, p + from, n);
	a->type[n] = 0;
}

static void say_head(struct transfer *t)
{
	uint8_t bytes[8 + TYPE_MAX];
	struct buf b = buf_on(bytes, sizeof(bytes));
	curl_off_t retry = 0;
	curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry);   /* a date is seconds from now here */
	buf_u32(&b, t->answer.status);
	buf_u32(&b, (uint32_t)MAX(MIN(retry, INT32_MAX), 0));
	buf_text(&b, t->answer.type);
	t->answer.said = true;
	outlet_send(t->out, FRAME_HEAD, t->fetch, buf_span(&b));
}

static void touch(struct transfer *t)
{
	struct now now;
	clock_now(&now);
	t->last = now.ms;
	t->waited = t->out->waited_ms;
}

/* A line of an answer's head; that of an interim answer (100) is dropped, and so are trailers. */
static size_t on_header(char *p, size_t size, size_t n, void *user)
{
	struct transfer *t = user;
	struct answer *a = &t->answer;
	struct span line = span_of(p, size * n);
	touch(t);
	a->headers += line.n;
	if (a->headers > HEADERS_MAX) {
		a->too_large = true;
		return 0;
	}
	if (a->said)
		return line.n;
	take_header(a, line);
	if ((span_is(line, "\r\n") || span_is(line, "\n")) && a->status >= 200)
		say_head(t);
	return line.n;
}

static size_t on_body(char *p, size_t size, size_t n, void *user)
{
	struct transfer *t = user;
	struct span left = span_of(p, size * n);
	while (left.n > 0 && !t->out->gone) {
		size_t piece = MIN(left.n, FRAME_PIECE_MAX);
		outlet_send(t->out, FRAME_PIECE, t->fetch, span_of(left.p, piece));
		left = span_from(left, piece);
	}
	touch(t);
	return size * n;
}

static int on_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
	int tries = KEEPALIVE_TRIES, unacked = UNACKED_MS;
	(void)user, (void)purpose;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof(unacked));
	return CURL_SOCKOPT_OK;
}

/* ---- a request becomes a transfer ---- */

/* returns false, for the caller to return */
static bool refuse(struct transfer *t, const char *what, const char *of)
{
	struct buf b = buf_on(t->why, sizeof(t->why));
	buf_printf(&b, "%s%s", what, of == NULL ? "" : of);
	buf_cstr(&b);
	return false;
}

/* What stands in the file, unless it stands in the request itself. */
static bool contents(struct transfer *t, const char *path, size_t max, struct span *bytes)
{
	struct buf why = buf_on(t->why, sizeof(t->why));
	if (bytes->n > 0 || path == NULL)
		return true;
	if (file_read(path, max, &t->arena, bytes, &why) == OK)
		return true;
	/* We have the rights of the server's user, no longer root's: what is wrong is told with its cure. */
	if (access(path, R_OK) != 0 && errno == EACCES)
		buf_printf(&why, "; it is read as user %u: chgrp %u and chmod g+r", (unsigned)geteuid(),
		           (unsigned)getegid());
	buf_cstr(&why);
	return false;
}

/* May it stand in a header's line? */
static bool is_line(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool add_header(struct transfer *t, const char *name, struct span value)
{
	const char *text = (const char *)value.p;
	char *line = is_line(value) ? arena_printf(&t->arena, "%s: %.*s", name, (int)value.n, text) : NULL;
	struct curl_slist *list = line == NULL ? NULL : curl_slist_append(t->headers, line);
	if (list == NULL)
		return refuse(t, "no header can be made of what stands for ", name);
	t->headers = list;
	return true;
}

static struct span trim_blanks(struct span s)
{
	static const char blanks[] = " \t\r\n";
	while (s.n > 0 && memchr(blanks, s.p[s.n - 1], sizeof(blanks) - 1) != NULL)
		s.n--;
	while (s.n > 0 && memchr(blanks, *s.p, sizeof(blanks) - 1) != NULL)
		s = span_from(s, 1);
	return s;
}

static bool set_headers(struct transfer *t)
{
	const struct fetch *f = &t->ask.what;
	struct fetch_login *l = &t->ask.login;
	if (!contents(t, l->token_file, FETCH_PEM_MAX, &l->token))
		return false;
	struct span token = trim_blanks(l->token);
	if (l->token_file != NULL && token.n == 0)
		return refuse(t, "there is no token in ", l->token_file);
	if (token.n > 0) {
		char *bearer = arena_printf(&t->arena, "%s%.*s", l->token_bare ? "" : "Bearer ",
		                            (int)token.n, (const char *)token.p);
		if (bearer == NULL || !add_header(t, "Authorization", span_text(bearer)))
			return refuse(t, "what stands for the token is none", NULL);
	}
	if (f->accept != NULL && !add_header(t, "Accept", span_text(f->accept)))
		return false;
	if (f->content_type != NULL && !add_header(t, "Content-Type", span_text(f->content_type)))
		return false;
	struct curl_slist *list = curl_slist_append(t->headers, "Expect:");   /* nothing waits for a 100 */
	if (list == NULL)
		return refuse(t, "no memory", NULL);
	t->headers = list;
	return true;
}

/* The addresses of the URL's host, told to libcurl for it. A host without any is refused: here no name is looked up. */
static bool set_addresses(struct transfer *t, const char *host, const char *port)
{
	const struct fetch *f = &t->ask.what;
	char text[HOST_MAX + FETCH_ADDRS_MAX * (INET6_ADDRSTRLEN + 3)], one[INET6_ADDRSTRLEN];
	struct buf b = buf_on(text, sizeof(text));
	if (f->naddrs == 0) {
		buf_printf(&b, "%s has no address", host);
		return refuse(t, buf_cstr(&b), NULL);
	}
	buf_printf(&b, "%s:%s:", host, port);
	for (unsigned i = 0; i < f->naddrs; i++) {
		bool six = f->addrs[i].family == ADDR_6;
		if (inet_ntop(six ? AF_INET6 : AF_INET, f->addrs[i].ip, one, sizeof(one)) == NULL)
			return refuse(t, "no address", NULL);
		buf_printf(&b, six ? "%s[%s]" : "%s%s", i == 0 ? "" : ",", one);
	}
	t->way = buf_ok(&b) ? curl_slist_append(NULL, buf_cstr(&b)) : NULL;
	if (t->way == NULL || curl_easy_setopt(t->easy, CURLOPT_RESOLVE, t->way) != CURLE_OK)
		return refuse(t, "too many addresses", NULL);
	return true;
}

static bool is_address(const char *host)
{
	uint8_t ip[16];
	return *host == '[' || inet_pton(AF_INET, host, ip) == 1;
}

/* An address in the URL, but another name to be checked: connections are told apart by the address all the same. */
static bool set_way(struct transfer *t, const char *name, const char *host, const char *port)
{
	char *way = arena_printf(&t->arena, "%s:%s:%s:%s", name, port, host, port);
	t->way = way == NULL ? NULL : curl_slist_append(NULL, way);
	if (t->way == NULL || curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->way) != CURLE_OK)
		return refuse(t, "no memory", NULL);
	return true;
}

/* A certificate is checked against the name in the URL: where it has to be another, the URL gets that one, and the
 * header Host the one it had. */
static bool set_host(struct transfer *t, const char *host, const char *port)
{
	const char *name = t->ask.login.server_name;
	if (strlen(host) >= HOST_MAX)
		return refuse(t, "a URL whose host is too long", NULL);
	if (name == NULL || strcmp(name, host) == 0)
		return is_address(host) || set_addresses(t, host, port);
	char *line = arena_printf(&t->arena, "%s:%s", host, port);
	if (line == NULL || !add_header(t, "Host", span_text(line)))
		return false;
	if (is_address(name) || curl_url_set(t->url, CURLUPART_HOST, name, 0) != CURLUE_OK)
		return refuse(t, "no name of a server: ", name);
	return is_address(host) ? set_way(t, name, host, port) : set_addresses(t, name, port);
}

static bool set_url(struct transfer *t)
{
	char *host = NULL, *port = NULL, *user = NULL;
	t->url = curl_url();
	CURLUcode bad = t->url == NULL ? CURLUE_OUT_OF_MEMORY :
		curl_url_set(t->url, CURLUPART_URL, t->ask.what.url, CURLU_PATH_AS_IS);
	if (bad != CURLUE_OK)
		return refuse(t, "no URL: ", curl_url_strerror(bad));
	bool fine = curl_url_get(t->url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		curl_url_get(t->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
	if (!fine)
		refuse(t, "a URL without a host", NULL);
	else if (curl_url_get(t->url, CURLUPART_USER, &user, 0) == CURLUE_OK)
		fine = refuse(t, "a URL with a user in it", NULL);
	else
		fine = set_host(t, host, port);
	curl_free(user);
	curl_free(port);
	curl_free(host);
	return fine;
}

static void set_blob(CURL *easy, CURLoption option, struct span bytes)
{
	struct curl_blob blob = { (void *)(uintptr_t)bytes.p, bytes.n, CURL_BLOB_COPY };
	if (bytes.n > 0)
		curl_easy_setopt(easy, option, &blob);
}

/* As bytes, not as paths: so libcurl opens a new connection as soon as one of them has changed. */
static bool set_tls(struct transfer *t)
{
	struct fetch_login *l = &t->ask.login;
	bool given = l->ca.n > 0 || l->ca_file != NULL;
	if (!contents(t, l->ca_file, FETCH_PEM_MAX, &l->ca) || !contents(t, l->cert_file, FETCH_PEM_MAX, &l->cert) ||
	    !contents(t, l->key_file, FETCH_PEM_MAX, &l->key))
		return false;
	if (given && l->ca.n == 0)
		return refuse(t, "there are no authorities in ", l->ca_file);
	curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, l->unchecked ? 0L : 1L);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, l->unchecked ? 0L : 2L);
	if (given || l->unchecked) {
		curl_easy_setopt(t->easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(t->easy, CURLOPT_CAPATH, NULL);
	}
	if (!l->unchecked)
		set_blob(t->easy, CURLOPT_CAINFO_BLOB, l->ca);
	curl_easy_setopt(t->easy, CURLOPT_SSLCERTTYPE, "PEM");
	curl_easy_setopt(t->easy, CURLOPT_SSLKEYTYPE, "PEM");
	set_blob(t->easy, CURLOPT_SSLCERT_BLOB, l->cert);
	set_blob(t->easy, CURLOPT_SSLKEY_BLOB, l->key.n > 0 ? l->key : l->cert);
	return true;
}

static bool set_method(struct transfer *t)
{
	const struct fetch *f = &t->ask.what;
	if (f->method != NULL && strspn(f->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(f->method))
		return refuse(t, "no method: ", f->method);
	if (f->body.n > 0) {
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.n);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, f->body.p);
	}
	if (f->method != NULL && strcmp(f->method, "HEAD") == 0)
		curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
	else if (f->method != NULL)
		curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, f->method);
	return true;
}

static void set_ways(struct transfer *t)
{
	const struct fetch *f = &t->ask.what;
	CURL *e = t->easy;
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");   /* whatever the environment says */
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)FRAME_PIECE_MAX);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, f->connect_ms > 0 ? (long)f->connect_ms : (long)CONNECT_MS);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_SECS);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_STEP_SECS);
	curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_socket);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "signet/" SIGNET_VERSION);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	if (t->ask.login.user != NULL) {
		curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(e, CURLOPT_USERNAME, t->ask.login.user);
		curl_easy_setopt(e, CURLOPT_PASSWORD, t->ask.login.password == NULL ? "" : t->ask.login.password);
	}
}

static bool set_all(struct transfer *t, struct span payload)
{
	payload = arena_span(&t->arena, payload);
	if (payload.p == NULL || frame_ask_read(payload, &t->ask) != OK)
		return refuse(t, "no request", NULL);
	t->easy = curl_easy_init();
	if (t->easy == NULL)
		return refuse(t, "no memory", NULL);
	set_ways(t);
	if (!set_method(t) || !set_headers(t) || !set_url(t) || !set_tls(t))
		return false;
	curl_easy_setopt(t->easy, CURLOPT_CURLU, t->url);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return true;
}

/* ---- its life ---- */

static void transfer_free(struct transfer *t)
{
	if (t->easy != NULL)
		curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->way);
	if (t->url != NULL)
		curl_url_cleanup(t->url);
	arena_free(&t->arena);
	heap_free(t);
}

static void say_end(const struct transfer *t, const char *text)
{
	size_t n = strlen(text);
	outlet_send(t->out, FRAME_END, t->fetch, span_of(text, MIN(n, FRAME_TEXT_MAX)));
}

struct transfer *transfer_begin(struct outlet *out, CURLM *multi, const struct frame_in *asked, msec now)
{
	struct transfer *t = heap_new(sizeof(*t));
	t->fetch = asked->fetch;
	t->out = out;
	t->last = now;
	t->waited = out->waited_ms;
	arena_init(&t->arena, 2 * FRAME_ASK_MAX);
	if (set_all(t, asked->payload) && curl_multi_add_handle(multi, t->easy) == CURLM_OK)
		return t;
	say_end(t, *t->why == 0 ? "it cannot be begun" : t->why);
	transfer_free(t);
	return NULL;
}

void transfer_done(struct transfer *t, CURLM *multi, CURLcode code)
{
	const char *why = *t->error == 0 ? curl_easy_strerror(code) : t->error;
	if (t->answer.too_large)
		why = "a head of more than 64 KB";
	if (code == CURLE_OK && !t->answer.said)
		say_head(t);
	say_end(t, code == CURLE_OK ? "" : why);
	transfer_stop(t, multi);
}

void transfer_stop(struct transfer *t, CURLM *multi)
{
	curl_multi_remove_handle(multi, t->easy);
	transfer_free(t);
}

struct transfer *transfer_of(CURL *easy)
{
	struct transfer *t = NULL;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
	return t;
}

uint64_t transfer_fetch(const struct transfer *t)
{
	return t->fetch;
}

msec transfer_idle_at(const struct transfer *t)
{
	msec waited = (msec)(t->out->waited_ms - t->waited);   /* is no idleness of the other end */
	return t->ask.what.idle_ms == 0 ? NEVER : t->last + (msec)t->ask.what.idle_ms + waited;
}

void transfer_idle(struct transfer *t, CURLM *multi)
{
	char text[80];
	struct buf b = buf_on(text, sizeof(text));
	buf_printf(&b, "not a byte for %g s", t->ask.what.idle_ms / 1000.0);
	say_end(t, buf_cstr(&b));
	transfer_stop(t, multi);
}
