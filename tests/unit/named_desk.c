/* SPDX-License-Identifier: Apache-2.0 */
/* A named with its configuration, in a folder that goes with it
 * (named_desk.h).  Its log lies beside it: named.log. */
#include "tests/unit/named_desk.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/free_port.h"
#include "tests/unit/scratch.h"

#define NAMED "/usr/sbin/named"
#define PATIENCE_MS 60000

struct named_desk {
	char folder[SCRATCH_PATH_MAX], address[64];
	pid_t pid;
};

bool
named_desk_is_there(void)
{
	return access(NAMED, X_OK) == 0;
}

/* --- Ports ------------------------------------------------------------------
 */

static bool
can_bind(const char *host, int type, unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	bool ok;

	assert(fd >= 0);
	inet_pton(AF_INET, host, &at.sin_addr);
	ok = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return ok;
}

static bool
is_free(unsigned port)
{
	static const char *const hosts[] = { "127.0.0.1", "127.0.0.2" };

	for (size_t i = 0; i < 4; i++)
		if (!can_bind(
			hosts[i / 2], i % 2 ? SOCK_STREAM : SOCK_DGRAM, port))
			return false;
	return true;
}

unsigned
named_desk_port(void)
{
	for (unsigned i = 0; i < 200; i++) {
		unsigned port = free_port();

		if (is_free(port))
			return port;
	}
	fprintf(stderr, "no port is free\n");
	abort();
}

/* --- Its files --------------------------------------------------------------
 */

static FILE *
create(const char *folder, const char *name, size_t i)
{
	char path[128];
	FILE *file;

	(void)!snprintf(path, sizeof(path), "%s/%s%zu", folder, name, i);
	file = fopen(path, "w");
	assert(file != NULL);
	return file;
}

static void
write_zone(const struct named_config *config, const char *folder, size_t i)
{
	const struct named_zone *zone = &config->zones[i];
	const char *dot = strcmp(zone->name, ".") == 0 ? "" : ".";
	FILE *file = create(folder, "zone", i);

	fprintf(file,
	    "$ORIGIN %s%s\n$TTL 60\n"
	    "@ IN SOA ns hostmaster ( 1 3600 600 86400 60 )\n",
	    zone->name, dot);
	if (zone->ns != NULL)
		fprintf(file, "%s\n", zone->ns);
	else
		fprintf(file, "@ IN NS ns\nns IN A 127.0.0.1\n");
	fprintf(file, "%s\n", zone->records);
	fclose(file);
}

static bool
has_root(const struct named_config *config)
{
	for (size_t i = 0; i < config->n_zones; i++)
		if (strcmp(config->zones[i].name, ".") == 0)
			return true;
	return false;
}

static void
write_config(const struct named_config *config, const char *folder)
{
	FILE *file = create(folder, "conf", 0);

	for (size_t i = 0; i < config->n_keys; i++)
		fprintf(file, "key \"%s\" { algorithm %s; secret \"%s\"; };\n",
		    config->keys[i].name, config->keys[i].algorithm,
		    config->keys[i].secret);
	fprintf(file,
	    "options { directory \"%s\"; pid-file none;\n"
	    "session-keyfile \"%s/session.key\";\n"
	    "managed-keys-directory \"%s\"; listen-on-v6 { none; };\n"
	    "listen-on port %u { 127.0.0.1; }; recursion %s;\n"
	    "empty-zones-enable no;\n"
	    "dnssec-validation no; notify no; minimal-responses no; };\n"
	    "controls { };\n",
	    folder, folder, folder, config->port,
	    has_root(config) ? "yes" : "no");
	for (size_t i = 0; i < config->n_zones; i++) {
		const struct named_zone *zone = &config->zones[i];

		write_zone(config, folder, i);
		fprintf(file, "zone \"%s\" { type primary; file \"zone%zu\";",
		    zone->name, i);
		fprintf(file, " %s };\n",
		    zone->updates != NULL ? zone->updates : "");
	}
	fclose(file);
}

/* --- Life -------------------------------------------------------------------
 */

static bool
has_apparmor(void)
{
	FILE *file = fopen("/sys/module/apparmor/parameters/enabled", "r");
	bool is_on = file != NULL && fgetc(file) == 'Y';

	if (file != NULL)
		fclose(file);
	return is_on;
}

/* Debian's profile of AppArmor, which goes by the path, keeps named from all
 * folders but its own; a copy of it may read ours. */
static void
program(const char *folder, char *ret_path, size_t size)
{
	uint8_t octets[65536];
	FILE *from, *to;
	size_t n;

	(void)!snprintf(ret_path, size, "%s", NAMED);
	if (!has_apparmor())
		return;
	from = fopen(NAMED, "r");
	to = create(folder, "named", 0);
	assert(from != NULL);
	while ((n = fread(octets, 1, sizeof(octets), from)) > 0)
		fwrite(octets, 1, n, to);
	fchmod(fileno(to), 0700);
	fclose(to);
	fclose(from);
	(void)!snprintf(ret_path, size, "%s/named0", folder);
	/* Where nothing may be run from there, it is to be tried as it is. */
	if (access(ret_path, X_OK) != 0)
		(void)!snprintf(ret_path, size, "%s", NAMED);
}

/* Has it loaded its zones?  It answers before that. */
static bool
is_running(const struct named_desk *desk)
{
	char path[128], line[512];
	bool found = false;
	FILE *file;

	(void)!snprintf(path, sizeof(path), "%s/named.log", desk->folder);
	file = fopen(path, "r");
	while (file != NULL && !found && fgets(line, sizeof(line), file))
		found = strstr(line, " running\n") != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

/* Is there any answer, to a question for the root's SOA? */
static bool
answers(const struct named_config *config)
{
	static const uint8_t question[] = { 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
		0, 0, 6, 0, 1 };
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)config->port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd readable = { fd, POLLIN, 0 };
	uint8_t answer[512];
	bool ok;

	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	ok = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	     send(fd, question, sizeof(question), 0) > 0 &&
	     poll(&readable, 1, 50) > 0 &&
	     recv(fd, answer, sizeof(answer), 0) > 12;
	close(fd);
	return ok;
}

static void
await_answers(struct named_desk *desk, const struct named_config *config)
{
	for (int ms = 0; ms < PATIENCE_MS; ms += 20) {
		if (is_running(desk) && answers(config))
			return;
		if (waitpid(desk->pid, NULL, WNOHANG) != 0) {
			fprintf(stderr, "named has ended: %s/named.log\n",
			    desk->folder);
			abort();
		}
		usleep(20000);
	}
	kill(desk->pid, SIGKILL);
	fprintf(stderr, "named does not answer: %s/named.log\n", desk->folder);
	abort();
}

struct named_desk *
named_desk_new(const struct named_config *config)
{
	struct named_desk *desk = calloc(1, sizeof(*desk));
	static char *no_environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	char conf[128], log[128];
	/* A test that dies takes it along. */
	char setpriv[] = "/usr/bin/setpriv", die[] = "--pdeathsig=KILL";
	char named[128], flags[] = "-4g", file[] = "-c";
	char *argv[] = { setpriv, die, named, flags, file, conf, NULL };
	int e;

	assert(desk != NULL);
	if (!scratch_new(desk->folder, sizeof(desk->folder)))
		abort();
	write_config(config, desk->folder);
	program(desk->folder, named, sizeof(named));
	(void)!snprintf(conf, sizeof(conf), "%s/conf0", desk->folder);
	(void)!snprintf(log, sizeof(log), "%s/named.log", desk->folder);
	(void)!snprintf(
	    desk->address, sizeof(desk->address), "127.0.0.1:%u", config->port);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(
	    &actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	e = posix_spawn(
	    &desk->pid, setpriv, &actions, NULL, argv, no_environment);
	assert(e == 0);
	posix_spawn_file_actions_destroy(&actions);
	await_answers(desk, config);
	return desk;
}

void
named_desk_free(struct named_desk *desk)
{
	if (desk == NULL)
		return;
	kill(desk->pid, SIGKILL);
	waitpid(desk->pid, NULL, 0);
	scratch_remove(desk->folder);
	free(desk);
}

const char *
named_desk_address(const struct named_desk *desk)
{
	return desk->address;
}
