/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ca.pem: the one certificate that all identities hang on.  It is public, but
 * whoever can replace it decides whom keyd trusts, so it lies in the state
 * folder, and a file that others may write is refused.
 */

#include "keyd/ca_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scoped.h"

SCOPED_RELEASE(X509_free, X509 *);

static struct status
write_failed(void)
{
	return status_fail_detail(STATUS_FAILED_PRECONDITION,
	    "ca.pem cannot be written in state_dir; check the folder's owner "
	    "and mode, and the disk",
	    (uint32_t)errno);
}

/* A rename survives a power loss only once the folder is on disk too. */
static struct status
sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int len = slash == NULL || slash == path ? 1 : (int)(slash - path);

	snprintf(
	    folder, sizeof(folder), "%.*s", len, slash == NULL ? "." : path);
	scoped(close) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return write_failed();
	return status_ok();
}

STATUS
ca_file_write(const char *path, const struct hsm_cert *cert)
{
	const unsigned char *at = cert->der;
	scoped(X509_free) X509 *x509 = d2i_X509(NULL, &at, (long)cert->len);
	char beside[PATH_MAX];
	FILE *file;
	bool is_written;
	int fd;

	if (x509 == NULL)
		return status_fail(STATUS_INTERNAL,
		    "the identity token made no certificate that reads back");
	if (snprintf(beside, sizeof(beside), "%s.new", path) >=
	    (int)sizeof(beside))
		return write_failed();
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return write_failed();
	file = fdopen(fd, "w");
	if (file == NULL) {
		close(fd);
		return write_failed();
	}
	is_written = PEM_write_X509(file, x509) == 1 && fflush(file) == 0 &&
		     fsync(fd) == 0;
	if (fclose(file) != 0 || !is_written || rename(beside, path) < 0)
		return write_failed();
	return sync_folder_of(path);
}

static struct status
damaged(void)
{
	return status_fail(STATUS_DATA_LOSS,
	    "ca.pem in state_dir holds no certificate; restore it from a "
	    "backup");
}

STATUS
ca_file_read(const char *path, struct hsm_cert *ret_cert)
{
	scoped(fclose) FILE *file = fopen(path, "re");
	scoped(X509_free) X509 *x509 = NULL;
	unsigned char *at = ret_cert->der;
	char no_passphrase[] = "";
	struct stat sb;
	int len;

	if (file == NULL && errno == ENOENT)
		return status_fail(STATUS_NOT_FOUND,
		    "there is no ca.pem in state_dir: run 'keyd init' first");
	if (file == NULL || fstat(fileno(file), &sb) < 0)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "ca.pem in state_dir cannot be read; check its owner and "
		    "mode",
		    (uint32_t)errno);
	if (!S_ISREG(sb.st_mode) || (sb.st_mode & 022) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "ca.pem in state_dir must be a plain file that only its "
		    "owner may write (chmod 600)");
	/* "": never ask a terminal for a passphrase. */
	x509 = PEM_read_X509(file, NULL, NULL, no_passphrase);
	if (x509 == NULL)
		return damaged();
	len = i2d_X509(x509, NULL);
	if (len <= 0 || (size_t)len > sizeof(ret_cert->der))
		return damaged();
	ret_cert->len = (size_t)i2d_X509(x509, &at);
	return status_ok();
}
