/* Sockets on loopback: batches, strays, partial writes, refusals, and a loop that tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/slots.h"
#include "io/ask.h"
#include "io/clock.h"
#include "io/holder.h"
#include "io/loop.h"
#include "io/sock.h"
#include "io/stream.h"
#include "io/udp.h"

#define WAIT_MS 5000

static char why_text[512];
static struct buf why;

static struct addr at(const char *ip, uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse(span_text(ip), port, &a), OK);
	return a;
}

static struct udp_listener listen_udp(const char *ip)
{
	struct listen_conf c = { .addr = at(ip, 0) };
	struct udp_listener l;
	why = buf_on(why_text, sizeof(why_text));
	if (udp_listen(&c, &l, &why) != OK)
		fail_msg("%s", buf_cstr(&why));
	return l;
}

static struct stream_listener listen_tcp(const char *ip)
{
	struct listen_conf c = { .addr = at(ip, 0) };
	struct stream_listener l;
	why = buf_on(why_text, sizeof(why_text));
	if (stream_listen(&c, &l, &why) != OK)
		fail_msg("%s", buf_cstr(&why));
	return l;
}

static bool have_ip6(void)
{
	struct listen_conf c = { .addr = at("::1", 0) };
	struct udp_listener l;
	why = buf_on(why_text, sizeof(why_text));
	if (udp_listen(&c, &l, &why) != OK)
		return false;
	udp_close(&l);
	return true;
}

/* Wait until fd is what we want. */
static void await(int fd, unsigned want)
{
	struct loop l;
	struct loop_event e;
	assert_int_equal(loop_init(&l, &why), OK);
	assert_int_equal(loop_add(&l, fd, want, 1, 1), OK);
	assert_int_equal(loop_wait(&l, WAIT_MS, &e, 1), 1);
	loop_fini(&l);
}

static int ask(struct addr server, struct rng *rng)
{
	struct ask_conf c = { .ports = { NULL, 0 } };
	int fd = -1;
	why = buf_on(why_text, sizeof(why_text));
	if (ask_open(&server, &c, rng, &fd, &why) != OK)
		fail_msg("%s", buf_cstr(&why));
	return fd;
}

/* n questions are echoed in two halves: with their batch, and later by address. */
static void echo_round(const char *bound, const char *asked)
{
	enum { N = 40 };
	struct udp_listener l = listen_udp(bound);
	struct addr server = at(asked, l.addr.port), from, to;
	struct udp_in *in = udp_in_new();
	struct udp_out *out = udp_out_new();
	struct rng rng;
	int fds[N];
	uint8_t bytes[512];
	size_t n;
	rng_seed_number(&rng, (uint64_t)clock_usec());   /* ports others may hold too: any will do */
	for (unsigned i = 0; i < N; i++) {
		fds[i] = ask(server, &rng);
		memset(bytes, (int)i, sizeof(bytes));
		assert_int_equal(ask_send(fds[i], span_of(bytes, 100 + i)), OK);
	}
	for (unsigned seen = 0; seen < N;) {
		await(l.fd, LOOP_READ);
		unsigned got = udp_recv(in, &l);
		for (unsigned i = 0; i < got; i++, seen++) {
			struct span s = udp_bytes(in, i);
			assert_false(udp_cut(in, i));
			assert_true(udp_from_to(in, i, &from, &to));
			assert_true(addr_eq(&to, &server));
			struct buf room = udp_room(out);
			buf_span_put(&room, s);
			if (i % 2 == 0)
				udp_answer(out, in, i, room.n);
			else
				udp_put(out, &l, &from, &to, room.n);
		}
		assert_int_equal(udp_flush(out), 0);
	}
	for (unsigned i = 0; i < N; i++) {
		await(fds[i], LOOP_READ);
		assert_int_equal(ask_recv(fds[i], &server, bytes, sizeof(bytes), &n), ASK_GOT);
		assert_int_equal(n, 100 + i);
		assert_int_equal(bytes[0], i);
		assert_int_equal(ask_recv(fds[i], &server, bytes, sizeof(bytes), &n), ASK_EMPTY);
		ask_close(fds[i]);
	}
	udp_in_free(in);
	udp_out_free(out);
	udp_close(&l);
}

static void batches_are_echoed(void **state)
{
	(void)state;
	echo_round("127.0.0.1", "127.0.0.1");
	/* Bound to all: the answer comes from the address that was asked, or the connected asker would not see it. */
	echo_round("0.0.0.0", "127.0.0.53");
	if (have_ip6()) {
		echo_round("::1", "::1");
		echo_round("::", "::1");
	}
}

static void long_and_empty_datagrams(void **state)
{
	static uint8_t bytes[UDP_IN_MAX + 100];
	struct udp_listener l = listen_udp("127.0.0.1");
	struct udp_in *in = udp_in_new();
	struct rng rng;
	(void)state;
	rng_seed_number(&rng, (uint64_t)clock_usec());
	int fd = ask(l.addr, &rng);
	assert_int_equal(ask_send(fd, span_of(bytes, sizeof(bytes))), OK);
	assert_int_equal(ask_send(fd, span_of(bytes, 0)), OK);
	assert_int_equal(ask_send(fd, span_of(bytes, UDP_IN_MAX)), OK);
	await(l.fd, LOOP_READ);
	assert_int_equal(udp_recv(in, &l), 3);
	assert_true(udp_cut(in, 0));
	assert_int_equal(udp_bytes(in, 0).n, UDP_IN_MAX);
	assert_int_equal(udp_bytes(in, 1).n, 0);
	assert_false(udp_cut(in, 2));
	assert_int_equal(udp_bytes(in, 2).n, UDP_IN_MAX);
	assert_int_equal(udp_recv(in, &l), 0);
	ask_close(fd);
	udp_in_free(in);
	udp_close(&l);
}

/* More than a batch is put before a flush; and what cannot be sent does not hold up what can. */
static void full_batches_and_drops(void **state)
{
	struct udp_listener l = listen_udp("127.0.0.1");
	struct udp_listener sink = listen_udp("127.0.0.1");
	struct udp_out *out = udp_out_new();
	struct udp_in *in = udp_in_new();
	struct addr nowhere = at("127.0.0.1", 0);
	unsigned got = 0, dropped = 0;
	(void)state;
	for (unsigned i = 0; i < 3 * UDP_BATCH; i++) {
		struct buf room = udp_room(out);
		buf_u8(&room, (uint8_t)i);
		udp_put(out, &l, i % 3 == 0 ? &nowhere : &sink.addr, &l.addr, room.n);
		assert_true(udp_waiting(out) <= UDP_BATCH);
	}
	dropped = udp_flush(out);
	assert_int_equal(dropped, UDP_BATCH);
	for (unsigned n = 1; n > 0; got += n)
		n = udp_recv(in, &sink);
	assert_int_equal(got, 2 * UDP_BATCH);
	udp_in_free(in);
	udp_out_free(out);
	udp_close(&l);
	udp_close(&sink);
}

static void strays_are_not_heard(void **state)
{
	struct udp_listener server = listen_udp("127.0.0.1"), other = listen_udp("127.0.0.1");
	struct udp_in *in = udp_in_new();
	struct udp_out *out = udp_out_new();
	struct rng rng;
	uint8_t bytes[64];
	struct addr from, to;
	size_t n;
	(void)state;
	rng_seed_number(&rng, (uint64_t)clock_usec());
	int fd = ask(server.addr, &rng);
	assert_int_equal(ask_send(fd, span_text("q")), OK);
	await(server.fd, LOOP_READ);
	assert_int_equal(udp_recv(in, &server), 1);
	assert_true(udp_from_to(in, 0, &from, &to));
	assert_true(from.port >= 1024);
	struct buf room = udp_room(out);
	buf_text(&room, "forged");
	udp_put(out, &other, &from, &to, room.n);
	(void)udp_flush(out);
	assert_int_equal(ask_recv(fd, &server.addr, bytes, sizeof(bytes), &n), ASK_EMPTY);
	room = udp_room(out);
	buf_text(&room, "true");
	udp_answer(out, in, 0, room.n);
	assert_int_equal(udp_flush(out), 0);
	await(fd, LOOP_READ);
	assert_int_equal(ask_recv(fd, &server.addr, bytes, sizeof(bytes), &n), ASK_GOT);
	assert_true(span_is(span_of(bytes, n), "true"));
	ask_close(fd);
	udp_in_free(in);
	udp_out_free(out);
	udp_close(&server);
	udp_close(&other);
}

static void nobody_there(void **state)
{
	struct udp_listener l = listen_udp("127.0.0.1");
	struct addr server = l.addr;
	struct rng rng;
	uint8_t bytes[64];
	size_t n;
	(void)state;
	udp_close(&l);
	rng_seed_number(&rng, (uint64_t)clock_usec());
	int fd = ask(server, &rng);
	assert_int_equal(ask_send(fd, span_text("q")), OK);
	await(fd, LOOP_READ);
	assert_int_equal(ask_recv(fd, &server, bytes, sizeof(bytes), &n), ASK_UNREACHABLE);
	assert_int_equal(ask_recv(fd, &server, bytes, sizeof(bytes), &n), ASK_EMPTY);
	ask_close(fd);
}

static void only_permitted_ports(void **state)
{
	struct udp_listener l = listen_udp("127.0.0.1");
	uint16_t list[2] = { 0, l.addr.port };
	struct ask_conf c = { .local4 = at("127.0.0.1", 0), .ports = { list + 1, 1 } };
	struct rng rng;
	int fd;
	(void)state;
	rng_seed_number(&rng, 1);
	why = buf_on(why_text, sizeof(why_text));
	assert_int_equal(ask_open(&l.addr, &c, &rng, &fd, &why), ERR_WORLD);   /* the only one is taken */
	assert_non_null(strstr(buf_cstr(&why), "no port to ask 127.0.0.1@"));
	udp_close(&l);
	struct addr server = at("127.0.0.2", 53);
	assert_int_equal(ask_open(&server, &c, &rng, &fd, &why), OK);
	union sock_addr sa;
	socklen_t len = sizeof(sa);
	struct addr own;
	assert_int_equal(getsockname(fd, &sa.any, &len), 0);
	assert_true(sock_to_addr(&sa, &own));
	assert_int_equal(own.port, list[1]);
	ask_close(fd);
}

static void a_taken_port_names_its_holder(void **state)
{
	char pid[32];
	struct udp_listener l = listen_udp("127.0.0.1");
	struct stream_listener s = listen_tcp("127.0.0.1");
	struct listen_conf c = { .addr = l.addr, .reuseport = true };
	struct udp_listener second;
	(void)state;
	snprintf(pid, sizeof(pid), "(pid %ld)", (long)getpid());
	why = buf_on(why_text, sizeof(why_text));
	assert_int_equal(udp_listen(&c, &second, &why), ERR_WORLD);
	assert_non_null(strstr(buf_cstr(&why), "Address already in use; held by test_net "));
	assert_non_null(strstr(why_text, pid));
	c.addr = s.addr;
	why = buf_on(why_text, sizeof(why_text));
	assert_int_equal(listen_alone(&c, SOCK_STREAM, &why), ERR_WORLD);
	assert_non_null(strstr(buf_cstr(&why), pid));
	udp_close(&l);
	stream_listener_close(&s);
	/* With SO_REUSEPORT on both it would be shared in silence; listen_alone finds out. */
	c.addr = at("127.0.0.1", 0);
	assert_int_equal(udp_listen(&c, &l, &why), OK);
	c.addr = l.addr;
	assert_int_equal(udp_listen(&c, &second, &why), OK);
	assert_int_equal(listen_alone(&c, SOCK_DGRAM, &why), ERR_WORLD);
	udp_close(&l);
	udp_close(&second);
	assert_int_equal(listen_alone(&c, SOCK_DGRAM, &why), OK);
	why = buf_on(why_text, sizeof(why_text));
	assert_false(holder_find(&c.addr, SOCK_DGRAM, &why));
	assert_int_equal(why.n, 0);
}

/* Both ends of a connection through l. */
static void join(const struct stream_listener *l, int *ret_client, int *ret_server)
{
	struct addr from, to, any = { .family = ADDR_NONE };
	struct addr server = l->wildcard ? at("127.0.0.9", l->addr.port) : l->addr;
	bool refused;
	assert_int_equal(stream_connect(&server, &any, ret_client, &why), OK);
	await(*ret_client, LOOP_WRITE);
	assert_int_equal(stream_connected(*ret_client, &refused, &why), STREAM_OK);
	size_t n;
	assert_int_equal(stream_write(*ret_client, span_text("hello"), &n, &why), STREAM_OK);
	await(l->fd, LOOP_READ);
	assert_int_equal(stream_accept(l, ret_server, &from, &to), STREAM_ACCEPTED);
	assert_true(addr_eq(&to, &server));
	assert_true(addr_is_loopback(&from));
	int none;
	assert_int_equal(stream_accept(l, &none, &from, &to), STREAM_NONE);
}

static void streams_and_partial_writes(void **state)
{
	enum { BIG = 16 << 20 };
	struct stream_listener l = listen_tcp("0.0.0.0");
	int client, server;
	uint8_t *bytes = malloc(BIG), *back = malloc(BIG);
	size_t n, sent = 0, got = 0;
	(void)state;
	join(&l, &client, &server);
	assert_int_equal(stream_read(server, back, BIG, &n, &why), STREAM_OK);
	assert_true(span_is(span_of(back, n), "hello"));
	assert_int_equal(stream_read(server, back, BIG, &n, &why), STREAM_WAIT);
	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	bool partial = false;
	for (unsigned turns = 0; got < BIG && turns < 100000; turns++) {
		enum stream_io io = sent < BIG ? stream_write(server, span_of(bytes + sent, BIG - sent), &n, &why) :
		                                 STREAM_WAIT;
		assert_true(io == STREAM_OK || io == STREAM_WAIT);
		sent += io == STREAM_OK ? n : 0;
		partial = partial || sent < BIG;
		io = stream_read(client, back + got, BIG - got, &n, &why);
		assert_true(io == STREAM_OK || io == STREAM_WAIT);
		got += n;
	}
	assert_true(partial);
	assert_int_equal(got, BIG);
	assert_memory_equal(bytes, back, BIG);
	stream_finish(server);
	await(client, LOOP_READ);
	assert_int_equal(stream_read(client, back, BIG, &n, &why), STREAM_END);
	assert_int_equal(stream_write(client, span_text("still"), &n, &why), STREAM_OK);
	await(server, LOOP_READ);
	assert_int_equal(stream_read(server, back, BIG, &n, &why), STREAM_OK);
	stream_abort(server);
	await(client, LOOP_READ);
	why = buf_on(why_text, sizeof(why_text));
	assert_int_equal(stream_write(client, span_text("x"), &n, &why), STREAM_BROKEN);
	assert_non_null(strstr(buf_cstr(&why), "write: "));
	stream_close(client);
	stream_listener_close(&l);
	free(bytes);
	free(back);
}

static void refused_streams(void **state)
{
	struct stream_listener l = listen_tcp("127.0.0.1");
	struct addr server = l.addr, any = { .family = ADDR_NONE };
	bool refused;
	int fd;
	(void)state;
	stream_listener_close(&l);
	why = buf_on(why_text, sizeof(why_text));
	assert_int_equal(stream_connect(&server, &any, &fd, &why), OK);
	await(fd, LOOP_WRITE);
	assert_int_equal(stream_connected(fd, &refused, &why), STREAM_BROKEN);
	assert_true(refused);
	assert_string_equal(buf_cstr(&why), "connect: Connection refused");
	stream_close(fd);
	struct addr local = at("192.0.2.1", 0);
	assert_int_equal(stream_connect(&server, &local, &fd, &why), ERR_WORLD);
}

static void *wake_it(void *loop)
{
	for (unsigned i = 0; i < 3; i++)
		loop_wake(loop);
	return NULL;
}

static void loop_names_owners(void **state)
{
	struct loop l;
	struct loop_event e[4];
	struct slots slots;
	struct udp_listener u = listen_udp("127.0.0.1");
	pthread_t thread;
	int one = 1, two = 2;
	(void)state;
	slots_init(&slots, 100);
	assert_int_equal(loop_init(&l, &why), OK);
	slot_id gone = slots_add(&slots, &one);
	slots_drop(&slots, gone);
	slot_id id = slots_add(&slots, &two);   /* the same row, another generation */
	assert_int_equal(loop_add(&l, u.fd, LOOP_READ, LOOP_KIND_MAX, id), OK);
	assert_int_equal(loop_wait(&l, 0, e, COUNT(e)), 0);
	struct rng rng;
	rng_seed_number(&rng, (uint64_t)clock_usec());
	int fd = ask(u.addr, &rng);
	assert_int_equal(ask_send(fd, span_text("q")), OK);
	assert_int_equal(loop_wait(&l, WAIT_MS, e, COUNT(e)), 1);
	assert_int_equal(e[0].kind, LOOP_KIND_MAX);
	assert_true(e[0].id == id && slots_get(&slots, e[0].id) == &two);
	assert_true(e[0].readable && !e[0].writable && !e[0].broken);
	assert_int_equal(loop_change(&l, u.fd, LOOP_WRITE, 7, id), OK);
	assert_int_equal(loop_wait(&l, WAIT_MS, e, COUNT(e)), 1);
	assert_true(e[0].kind == 7 && e[0].writable && !e[0].readable);
	loop_remove(&l, u.fd);
	assert_int_equal(pthread_create(&thread, NULL, wake_it, &l), 0);
	assert_int_equal(loop_wait(&l, NEVER, e, COUNT(e)), 1);
	assert_int_equal(e[0].kind, LOOP_KIND_WAKE);
	pthread_join(thread, NULL);
	(void)loop_wait(&l, 0, e, COUNT(e));
	assert_int_equal(loop_wait(&l, 1, e, COUNT(e)), 0);   /* told once */
	loop_wake(&l);
	assert_int_equal(loop_wait(&l, WAIT_MS, e, COUNT(e)), 1);
	ask_close(fd);
	udp_close(&u);
	loop_fini(&l);
	slots_fini(&slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_are_echoed),
		cmocka_unit_test(long_and_empty_datagrams),
		cmocka_unit_test(full_batches_and_drops),
		cmocka_unit_test(strays_are_not_heard),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(only_permitted_ports),
		cmocka_unit_test(a_taken_port_names_its_holder),
		cmocka_unit_test(streams_and_partial_writes),
		cmocka_unit_test(refused_streams),
		cmocka_unit_test(loop_names_owners),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
