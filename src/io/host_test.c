/* Files, logs, signals and the process itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/file.h"
#include "io/listen.h"
#include "io/process.h"
#include "io/signals.h"
#include "io/urgency.h"

static char folder[] = "/tmp/signet-host-XXXXXX";
static char why_text[512];
static struct buf why;

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const left[] = { "state", "log", "log.1", "logs/log", "other/log", "logs", "other" };
	char path[256];
	(void)state;
	for (unsigned i = 0; i < COUNT(left); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, left[i]);
		(void)remove(path);
	}
	return rmdir(folder);   /* also says that no temporary file was left */
}

static const char *in_folder(const char *name)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int each(void **state)
{
	(void)state;
	why = buf_on(why_text, sizeof(why_text));
	return 0;
}

static void assert_holds(const char *path, const char *text)
{
	struct arena a;
	struct span s;
	arena_init(&a, 1 << 20);
	assert_int_equal(file_read(path, 1 << 16, &a, &s, &why), OK);
	assert_true(span_is(s, text));
	assert_int_equal(s.p[s.n], 0);
	arena_free(&a);
}

static void files_whole_or_not(void **state)
{
	struct arena a;
	struct span s;
	struct stat st;
	(void)state;
	arena_init(&a, 1 << 20);
	const char *path = in_folder("state");
	assert_int_equal(file_read(path, 100, &a, &s, &why), ERR_NOTFOUND);
	assert_non_null(strstr(buf_cstr(&why), "No such file"));
	assert_int_equal(file_save(path, span_text("first"), 0600, &why), OK);
	assert_int_equal(file_save(path, span_text("second one"), 0600, &why), OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_holds(path, "second one");
	assert_int_equal(file_read(path, 9, &a, &s, &why), ERR_LIMIT);
	assert_int_equal(file_read(path, 10, &a, &s, &why), OK);
	assert_int_equal(file_read(folder, 100, &a, &s, &why), ERR_WORLD);
	assert_int_equal(file_read("/proc/self/cgroup", 65536, &a, &s, &why), OK);   /* says it is 0 bytes long */
	assert_true(s.n > 0);
	assert_int_equal(file_save(in_folder("absent/x"), span_text("x"), 0600, &why), ERR_WORLD);
	arena_free(&a);
}

static void logs_are_reopened(void **state)
{
	char old[256];
	struct file_log l;
	struct span parts[3] = { span_text("one "), span_text(""), span_text("two\n") };
	(void)state;
	snprintf(old, sizeof(old), "%s/log.1", folder);
	assert_int_equal(file_log_open(&l, in_folder("log"), &why), OK);
	assert_int_equal(file_log_write(&l, parts, 3, &why), OK);
	assert_int_equal(rename(in_folder("log"), old), 0);
	assert_int_equal(file_log_write(&l, parts, 3, &why), OK);
	assert_int_equal(file_log_reopen(&l, &why), OK);
	assert_int_equal(file_log_write(&l, parts + 2, 1, &why), OK);
	file_log_close(&l);
	assert_holds(old, "one two\none two\n");
	assert_holds(in_folder("log"), "two\n");
	assert_int_equal(file_log_open(&l, in_folder("log"), &why), OK);
	assert_int_equal(file_log_write(&l, parts + 2, 1, &why), OK);   /* appended */
	/* A path that went bad does not cost the log that works. */
	snprintf(l.path, sizeof(l.path), "%s/absent/log", folder);
	assert_int_equal(file_log_reopen(&l, &why), ERR_WORLD);
	assert_int_equal(file_log_write(&l, parts + 2, 1, &why), OK);
	file_log_close(&l);
	assert_holds(in_folder("log"), "two\ntwo\ntwo\n");
}

static void a_missing_log_folder_is_made(void **state)
{
	struct file_log l;
	struct stat st;
	(void)state;
	assert_int_equal(file_folder(in_folder("logs/log"), (uid_t)-1, (gid_t)-1, &why), OK);
	assert_int_equal(file_folder(in_folder("logs/log"), (uid_t)-1, (gid_t)-1, &why), OK);
	assert_int_equal(stat(in_folder("logs"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(file_log_open(&l, in_folder("logs/log"), &why), OK);
	file_log_close(&l);
	assert_int_equal(file_folder(in_folder("a/b/log"), (uid_t)-1, (gid_t)-1, &why), ERR_WORLD);
	assert_non_null(strstr(buf_cstr(&why), "make folder: No such file"));
	assert_int_equal(file_folder("log", (uid_t)-1, (gid_t)-1, &why), OK);
}

static void a_full_disk_is_told(void **state)
{
	struct file_log l;
	struct span part = span_text("x");
	(void)state;
	if (access("/dev/full", W_OK) != 0)
		skip();
	assert_int_equal(file_log_open(&l, "/dev/full", &why), OK);
	assert_int_equal(file_log_write(&l, &part, 1, &why), ERR_WORLD);
	assert_string_equal(buf_cstr(&why), "/dev/full: write: No space left on device");
	file_log_close(&l);
}

static void signals_are_read(void **state)
{
	int fd;
	(void)state;
	assert_int_equal(signals_open(&fd, &why), OK);
	assert_int_equal(signals_next(fd), 0);
	assert_int_equal(raise(SIGHUP), 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(signals_next(fd), SIGHUP);
	assert_int_equal(signals_next(fd), SIGTERM);
	assert_int_equal(signals_next(fd), 0);
	signals_close(fd);
}

static void clocks_agree(void **state)
{
	struct now a, b;
	(void)state;
	clock_now(&a);
	int64_t usec = clock_usec();
	clock_now(&b);
	assert_true(a.ms <= usec / 1000 && usec / 1000 <= b.ms);
	assert_true(a.wall.sec > 1600000000 && a.wall.usec < 1000000);
}

/* The supervisor's end. */
static int supervisor(const char *name, size_t n)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	memcpy(at.sun_path, name, n);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	return fd;
}

static void the_supervisor_is_told(void **state)
{
	char name[64], got[600];
	(void)state;
	int n = snprintf(name, sizeof(name), "@signet-host-test-%ld", (long)getpid());
	name[0] = 0;
	int fd = supervisor(name, (size_t)n);
	name[0] = '@';
	assert_true(process_notify(name, PROCESS_READY, "serving"));
	ssize_t len = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(len > 0);
	got[len] = 0;
	assert_string_equal(got, "READY=1\nSTATUS=serving\n");
	assert_true(process_notify(name, PROCESS_RELOADING, NULL));
	len = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(len > 0);
	got[len] = 0;
	assert_true(strncmp(got, "RELOADING=1\nMONOTONIC_USEC=", 27) == 0);
	memset(got, 'x', sizeof(got) - 1);
	got[sizeof(got) - 1] = 0;
	assert_true(process_notify(name, PROCESS_STOPPING, got));
	len = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	got[MAX(len, 0)] = 0;
	assert_string_equal(got, "STOPPING=1\n");
	close(fd);
	assert_false(process_notify(name, PROCESS_READY, NULL));
	assert_false(process_notify("", PROCESS_READY, NULL));
	assert_false(process_notify(NULL, PROCESS_READY, NULL));
	assert_false(process_notify("vsock:2:1", PROCESS_READY, NULL));
}

static void the_machine_is_known(void **state)
{
	struct process_user u;
	uint8_t a[32], b[32];
	(void)state;
	assert_true(process_cores() >= 1);
	assert_true(process_descriptors() >= 64);
	process_random(a);
	process_random(b);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(process_user_find("no-such-user-here", &u, &why), ERR_NOTFOUND);
	assert_string_equal(buf_cstr(&why), "no user no-such-user-here");
	assert_int_equal(process_user_find("root", &u, &why), OK);
	assert_int_equal(u.uid, 0);
	process_tune_memory();
}

/* In a child: 0 when root is gone for good and a low port can still be bound. */
static int live_as_nobody(void)
{
	struct process_user nobody = { 65534, 65534 };
	struct listen_conf low = { .addr = { .family = ADDR_4, .ip = { 127, 5, 3, 1 }, .port = 853 } };
	int fd;
	if (process_drop(&nobody, &why) != OK)
		return 1;
	if (getuid() != 65534 || geteuid() != 65534 || getegid() != 65534 || getgroups(0, NULL) != 0)
		return 2;
	if (setuid(0) == 0 || access("/etc/shadow", R_OK) == 0)
		return 3;
	struct rlimit core;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 4;
	if (prctl(PR_CAPBSET_READ, 10) == 1 && listen_bind(&low, SOCK_DGRAM, &fd, &why) != OK)
		return 5;
	return 0;
}

static void root_is_given_up(void **state)
{
	int status = -1;
	(void)state;
	if (!process_is_root())
		skip();
	pid_t child = fork();
	if (child == 0)
		_exit(live_as_nobody());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A thread's policy and turn; kernels before 6.12 know no turn and say 0. */
static bool scheduled(unsigned policy, int nice_now, uint64_t turn_ns)
{
	struct sched_attr a = { .size = sizeof(a) };
	return syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) == 0 && a.sched_policy == policy &&
	       a.sched_nice == nice_now && (turn_ns == 0 ? a.sched_runtime != 100000 :
	                                    a.sched_runtime == turn_ns || a.sched_runtime == 0);
}

/* In a process of its own, as it cannot be wholly taken back. */
static void turns_are_asked_for(void **state)
{
	int status;
	(void)state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bool fine = nice(3) != 99;
		int now = getpriority(PRIO_PROCESS, 0);
		urgency_short();
		fine = fine && scheduled(SCHED_NORMAL, now, 100000);
		urgency_none();
		fine = fine && scheduled(SCHED_BATCH, now, 0);
		urgency_short();   /* the policy is now one that was chosen */
		_exit(fine && scheduled(SCHED_BATCH, now, 0) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(files_whole_or_not, each),
		cmocka_unit_test_setup(logs_are_reopened, each),
		cmocka_unit_test_setup(a_missing_log_folder_is_made, each),
		cmocka_unit_test_setup(a_full_disk_is_told, each),
		cmocka_unit_test_setup(signals_are_read, each),
		cmocka_unit_test_setup(clocks_agree, each),
		cmocka_unit_test_setup(the_supervisor_is_told, each),
		cmocka_unit_test_setup(the_machine_is_known, each),
		cmocka_unit_test_setup(root_is_given_up, each),
		cmocka_unit_test_setup(turns_are_asked_for, each),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
