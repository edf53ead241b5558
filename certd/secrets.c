/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The key that certd's own secrets are made of, and making them.  The file is
 * written whole beside its place and linked there, so that a start that was cut
 * off leaves none or all of it; of two starts at once one wins, and both read
 * what is there then.  A file that others could read is refused.
 */

#include "certd/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include "base/secret.h"

struct secrets {
	struct secret *key;
};

static bool
write_all(int fd, struct bytes octets)
{
	while (octets.len > 0) {
		ssize_t n = write(fd, octets.at, octets.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		octets.at += n;
		octets.len -= (size_t)n;
	}
	return fsync(fd) == 0;
}

static struct status
cannot_write(void)
{
	return status_fail_detail(STATUS_FAILED_PRECONDITION,
	    "secrets.key cannot be written in state_dir; check its owner, mode "
	    "and free space",
	    (uint32_t)errno);
}

/* In hex, so that a person can copy it: it ends in no newline by chance. */
static struct status
write_key(const char *path)
{
	scoped(secret_free) struct secret *key = NULL;
	scoped(secret_free) struct secret *text =
	    secret_new(2 * SECRETS_LEN + 1);
	struct status st = secret_random(SECRETS_LEN, &key);
	bool is_written;
	int fd;

	if (failed(st) || text == NULL)
		return failed(st) ? st
				  : status_fail(STATUS_RESOURCE_EXHAUSTED,
					"no memory may be locked");
	bytes_to_hex(secret_bytes(key), (char *)secret_at(text));
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cannot_write();
	is_written =
	    write_all(fd, (struct bytes){ secret_at(text), 2 * SECRETS_LEN });
	is_written = close(fd) == 0 && is_written;
	return is_written ? st : cannot_write();
}

static struct status
make_key(const char *state_dir, const char *path)
{
	char beside[PATH_MAX];
	struct status st;
	int folder;

	snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid());
	unlink(beside);
	st = write_key(beside);
	if (!failed(st) && link(beside, path) != 0 && errno != EEXIST)
		st = cannot_write();
	unlink(beside);
	folder = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!failed(st) && (folder < 0 || fsync(folder) != 0))
		st = cannot_write();
	if (folder >= 0)
		close(folder);
	return st;
}

STATUS
secrets_open(const char *state_dir, struct secrets **ret_secrets)
{
	scoped(secrets_close) struct secrets *secrets =
	    calloc(1, sizeof(*secrets));
	char path[PATH_MAX];
	struct status st = status_ok();

	if (secrets == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	snprintf(path, sizeof(path), "%s/" SECRETS_FILE, state_dir);
	if (access(path, F_OK) != 0 && errno == ENOENT)
		st = make_key(state_dir, path);
	if (!failed(st))
		st = secret_from_file(path, &secrets->key);
	if (failed(st))
		return st;
	if (secret_bytes(secrets->key).len != 2 * SECRETS_LEN)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "secrets.key in state_dir is damaged: put back its copy, "
		    "or move it away, and second factors and webhooks get new "
		    "secrets");
	*ret_secrets = secrets;
	secrets = NULL;
	return st;
}

void
secrets_close(struct secrets *secrets)
{
	if (secrets == NULL)
		return;
	secret_free(secrets->key);
	free(secrets);
}

STATUS
secrets_derive(const struct secrets *secrets, const char *purpose,
    struct bytes salt, uint8_t ret_secret[SECRETS_LEN])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	union {
		const void *in;
		void *out; /* only read */
	} key = { secret_bytes(secrets->key).at }, salted = { salt.at },
	  info = { purpose };
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
		    OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.out,
		    secret_bytes(secrets->key).len),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_SALT, salted.out, salt.len),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_INFO, info.out, strlen(purpose)),
		OSSL_PARAM_construct_end(),
	};
	bool is_derived = ctx != NULL && EVP_KDF_derive(ctx, ret_secret,
					     SECRETS_LEN, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return is_derived ? status_ok()
			  : status_fail(STATUS_INTERNAL,
				"a secret could not be derived");
}

STATUS
secrets_salt(uint8_t ret_salt[SECRETS_SALT_LEN])
{
	if (RAND_bytes(ret_salt, SECRETS_SALT_LEN) != 1)
		return status_fail(
		    STATUS_INTERNAL, "the system gave no random octets");
	return status_ok();
}
