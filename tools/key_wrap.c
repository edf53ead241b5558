/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What every command does that brings a private key into the token: the process
 * is closed to others first, the file is read into locked memory, and the key
 * leaves it wrapped.  A wrapping key is taken only under the id that is its
 * hash, so that whoever compares ids compares keys.
 */

#include "tools/key_wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/scoped.h"
#include "base/signing.h"
#include "tools/cli.h"

void
key_wrap_guard(void)
{
	const struct rlimit none = { 0, 0 };

	/* Nothing has used OpenSSL yet; were it otherwise, so be it. */
	(void)key_file_guard();
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* ---- the file ---- */

const char *
key_wrap_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "stdin" : path;
}

/* Until its end, or room octets. */
static int
read_all(
    int fd, const char *name, struct secret *into, size_t room, size_t *ret_len)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, secret_at(into) + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cli_fail(
			    EXIT_REFUSED, "%s: %s", name, strerror(errno));
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

int
key_wrap_read(const char *path, struct secret **ret_octets, size_t *ret_len)
{
	const char *name = key_wrap_name(path);
	scoped(close) int fd =
	    strcmp(path, "-") == 0
		? dup(STDIN_FILENO)
		: open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	scoped(secret_free) struct secret *octets = NULL;
	size_t len = 0;
	int rc;

	if (fd < 0)
		return cli_fail(EXIT_REFUSED, "%s: %s", name, strerror(errno));
	octets = secret_new(KEY_FILE_MAX);
	if (octets == NULL)
		return cli_fail(EXIT_REFUSED,
		    "no locked memory is left for %s; raise its limit "
		    "(ulimit -l)",
		    name);
	rc = read_all(fd, name, octets, KEY_FILE_MAX, &len);
	if (rc != 0)
		return rc;
	if (len == KEY_FILE_MAX)
		return cli_fail(EXIT_REFUSED,
		    "%s: longer than any file with a key or a certificate "
		    "(%d octets)",
		    name, KEY_FILE_MAX - 1);
	*ret_octets = octets;
	*ret_len = len;
	octets = NULL;
	return 0;
}

/* ---- wrapping ---- */

static bool
is_what_its_id_names(const Holdfast__Keyd__V1__ImportParametersResponse *p)
{
	struct key_id id;

	return p->wrapping_key_id.len == KEY_ID_LEN &&
	       key_id_of_spki(
		   (struct bytes){ p->wrapping_key.data, p->wrapping_key.len },
		   &id) &&
	       memcmp(id.at, p->wrapping_key_id.data, KEY_ID_LEN) == 0;
}

int
key_wrap_now(const Holdfast__Keyd__V1__ImportParametersResponse *parameters,
    struct key_file *file, uint8_t ret_blob[KEY_FILE_BLOB_MAX], size_t *ret_len)
{
	const Holdfast__Keyd__V1__ImportParametersResponse *p = parameters;
	struct status st;
	bool sha256;

	switch ((int)p->wrapping) {
	case HOLDFAST__KEYD__V1__IMPORT_WRAPPING__IMPORT_WRAPPING_RSA_OAEP_SHA1_AES_256_KWP:
		sha256 = false;
		break;
	case HOLDFAST__KEYD__V1__IMPORT_WRAPPING__IMPORT_WRAPPING_RSA_OAEP_SHA256_AES_256_KWP:
		sha256 = true;
		break;
	default:
		return cli_fail(EXIT_REFUSED,
		    "keyd names a way of wrapping that this holdfast does not "
		    "know; use the holdfast of keyd's version");
	}
	if (!is_what_its_id_names(p))
		return cli_fail(EXIT_REFUSED,
		    "keyd's wrapping key is not the one that its id names; "
		    "nothing was sent");
	st = key_file_wrap(file,
	    (struct bytes){ p->wrapping_key.data, p->wrapping_key.len }, sha256,
	    ret_blob, ret_len);
	if (failed(st))
		return cli_fail(EXIT_REFUSED, "%s", st.why);
	secret_free(file->pkcs8);
	file->pkcs8 = NULL;
	return 0;
}
