/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret octets on pages of their own: locked against swap, left out of core
 * files, zero in a forked child, wiped before they are given back.  A secret
 * file that others may read is refused, and nothing here prints.
 */
#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#define SECRET_MAX 65536
#define FILE_MAX 4096
#define LONG_FILE_MAX 65535
#define CREDENTIALS "$CREDENTIALS_DIRECTORY/"

struct secret {
	uint8_t *at;
	size_t len;
	size_t mapped;
};

struct secret *
secret_new(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct secret *secret;
	void *at;

	assert(len >= 1 && len <= SECRET_MAX);
	secret = calloc(1, sizeof(*secret));
	if (secret == NULL)
		return NULL;
	secret->len = len;
	secret->mapped = (len + page - 1) / page * page;
	at = mmap(NULL, secret->mapped, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED) {
		free(secret);
		return NULL;
	}
	secret->at = at;
	/* Zeroed in a child rather than absent: a child may free it too. */
	if (mlock(at, secret->mapped) != 0 ||
	    madvise(at, secret->mapped, MADV_DONTDUMP) != 0 ||
	    madvise(at, secret->mapped, MADV_WIPEONFORK) != 0) {
		secret_free(secret);
		return NULL;
	}
	return secret;
}

void
secret_free(struct secret *secret)
{
	if (secret == NULL)
		return;
	OPENSSL_cleanse(secret->at, secret->mapped);
	munmap(secret->at, secret->mapped);
	free(secret);
}

uint8_t *
secret_at(struct secret *secret)
{
	return secret->at;
}

struct bytes
secret_bytes(const struct secret *secret)
{
	return (struct bytes){ secret->at, secret->len };
}

/* Open path, and say whether it is one of systemd's credentials. */
static STATUS
open_file(const char *path, int *ret_fd, bool *ret_is_credential)
{
	const size_t prefix = sizeof(CREDENTIALS) - 1;
	const bool is_credential = strncmp(path, CREDENTIALS, prefix) == 0;
	const char *directory;
	char expanded[PATH_MAX];
	int fd, len;

	if (is_credential) {
		directory = secure_getenv("CREDENTIALS_DIRECTORY");
		if (directory == NULL)
			return status_fail(STATUS_FAILED_PRECONDITION,
			    "the secret's path names $CREDENTIALS_DIRECTORY,"
			    " but systemd set none; use LoadCredential=");
		len = snprintf(expanded, sizeof(expanded), "%s/%s", directory,
		    path + prefix);
		if (len < 0 || (size_t)len >= sizeof(expanded))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "the secret's path is too long");
		path = expanded;
	}
	/* Not to hang on a FIFO before it is seen not to be a file. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return status_fail_detail(
		    errno == ENOENT ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE,
		    "the secret's file cannot be opened; does it exist, and may"
		    " this user read it?",
		    (uint32_t)errno);
	*ret_fd = fd;
	*ret_is_credential = is_credential;
	return status_ok();
}

static STATUS
check_file(int fd, bool is_credential)
{
	/*
	 * systemd lets the service in by an access list, whose mask stat shows
	 * as the group's bits; no group can read there.
	 */
	const mode_t forbidden = is_credential
				     ? S_IWGRP | S_IROTH | S_IWOTH
				     : S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH;
	struct stat file;

	if (fstat(fd, &file) != 0)
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "the secret's file cannot be examined", (uint32_t)errno);
	if (!S_ISREG(file.st_mode))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the secret's path is not a regular file");
	if ((file.st_mode & forbidden) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the secret's file may be read or written by others; chmod"
		    " 600 it");
	return status_ok();
}

static STATUS
read_file(const char *path, size_t max, const char *too_long,
    struct secret **ret_secret)
{
	scoped(close) int fd = -1;
	scoped(secret_free) struct secret *secret = NULL;
	bool is_credential;
	struct status st;
	size_t len = 0;

	st = open_file(path, &fd, &is_credential);
	if (failed(st))
		return st;
	st = check_file(fd, is_credential);
	if (failed(st))
		return st;
	secret = secret_new(max + 1);
	if (secret == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no locked memory is left for a secret; raise"
		    " LimitMEMLOCK");
	while (len < secret->len) {
		ssize_t n = read(fd, secret->at + len, secret->len - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return status_fail_detail(STATUS_UNAVAILABLE,
			    "the secret's file cannot be read",
			    (uint32_t)errno);
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len > max)
		return status_fail(STATUS_INVALID_ARGUMENT, too_long);
	if (len > 0 && secret->at[len - 1] == '\n')
		secret->at[--len] = 0;
	if (len == 0)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "the secret's file is empty");
	secret->len = len;
	*ret_secret = secret;
	secret = NULL;
	return status_ok();
}

STATUS
secret_from_file(const char *path, struct secret **ret_secret)
{
	return read_file(path, FILE_MAX,
	    "the secret's file is longer than 4096 octets", ret_secret);
}

STATUS
secret_from_long_file(const char *path, struct secret **ret_secret)
{
	return read_file(path, LONG_FILE_MAX,
	    "the secrets' file is longer than 65535 octets", ret_secret);
}

STATUS
secret_random(size_t len, struct secret **ret_secret)
{
	scoped(secret_free) struct secret *secret = secret_new(len);
	size_t have = 0;

	if (secret == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no locked memory is left for a secret; raise"
		    " LimitMEMLOCK");
	while (have < len) {
		ssize_t n = getrandom(secret->at + have, len - have, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return status_fail_detail(STATUS_INTERNAL,
			    "the system's random generator failed",
			    (uint32_t)errno);
		have += (size_t)n;
	}
	*ret_secret = secret;
	secret = NULL;
	return status_ok();
}

bool
secret_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && CRYPTO_memcmp(a.at, b.at, a.len) == 0;
}
