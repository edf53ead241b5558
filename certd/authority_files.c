/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files that are read before certd confines itself.  A MAC key is a secret: its
 * file may be read by its owner alone, and it stays in locked memory.  Refused:
 * keys that are no base64url or short, roots that are no PEM or huge.
 */

#include "certd/authority_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/secret.h"

#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"
#define ROOTS_MAX ((size_t)4 * 1024 * 1024)
#define MAC_KEY_MIN 16
#define MAC_KEY_MAX 512
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

struct file_of {
	struct secret *mac_key;
	char *roots; /* NULL: the system's */
};

struct authority_files {
	struct file_of *at;
	size_t n;
	char *system_roots; /* NULL: there are none */
};

static struct status cannot(char *ret_why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct status
cannot(char *ret_why, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)!vsnprintf(ret_why, AUTHORITY_FILES_WHY_MAX, format, arguments);
	va_end(arguments);
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "a file of acme.authorities cannot be used");
}

/* ---- MAC keys ---- */

/* base64url, with or without padding, as base64 with it; false: neither. */
static bool
to_base64(struct bytes text, char ret_text[BASE64_MAX(MAC_KEY_MAX) + 4])
{
	size_t n = 0;

	while (text.len > 0 && text.at[text.len - 1] == '=')
		text.len--;
	if (text.len == 0 || text.len >= BASE64_MAX(MAC_KEY_MAX))
		return false;
	for (; n < text.len; n++)
		ret_text[n] = text.at[n] == '-'   ? '+'
			      : text.at[n] == '_' ? '/'
						  : (char)text.at[n];
	while (n % 4 != 0)
		ret_text[n++] = '=';
	ret_text[n] = 0;
	return true;
}

static bool
decode_key(struct bytes text, struct secret **ret_key)
{
	char base64[BASE64_MAX(MAC_KEY_MAX) + 4] = "";
	uint8_t octets[MAC_KEY_MAX];
	size_t len = 0;
	bool is_good =
	    to_base64(text, base64) &&
	    base64_decode(bytes_of(base64), octets, sizeof(octets), &len) &&
	    len >= MAC_KEY_MIN && len <= sizeof(octets);
	struct secret *key = is_good ? secret_new(len) : NULL;

	if (key != NULL)
		memcpy(secret_at(key), octets, len);
	explicit_bzero(base64, sizeof(base64));
	explicit_bzero(octets, sizeof(octets));
	if (key != NULL)
		*ret_key = key;
	return key != NULL;
}

static struct status
read_mac_key(const struct config_authority *authority, struct secret **ret_key,
    char *ret_why)
{
	scoped(secret_free) struct secret *text = NULL;
	struct status st;

	if (authority->eab_kid[0] == 0)
		return status_ok();
	st = secret_from_file(authority->eab_key_file, &text);
	if (failed(st))
		return cannot(ret_why, "%.200s (eab_key_file of %s): %s",
		    authority->eab_key_file, authority->name, st.why);
	if (!decode_key(secret_bytes(text), ret_key))
		return cannot(ret_why,
		    "%.200s (eab_key_file of %s) does not hold a MAC key of %d "
		    "octets or more in base64url, as the CA gave it",
		    authority->eab_key_file, authority->name, MAC_KEY_MIN);
	return status_ok();
}

/* ---- roots ---- */

/* Zero-terminated, malloc'd; NULL and errno (EFBIG, EINVAL: no PEM). */
static char *
read_pem(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat info = { 0 };
	scoped(free) char *text = NULL;
	size_t len = 0;
	ssize_t got = 1;
	char *read_text;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
	    (size_t)info.st_size > ROOTS_MAX) {
		close(fd);
		errno = EFBIG;
		return NULL;
	}
	text = calloc(1, (size_t)info.st_size + 1);
	while (text != NULL && len < (size_t)info.st_size && got > 0) {
		got = read(fd, text + len, (size_t)info.st_size - len);
		len += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	if (text == NULL || got < 0)
		return NULL;
	if (strstr(text, PEM_BEGIN) == NULL) {
		errno = EINVAL;
		return NULL;
	}
	read_text = text;
	text = NULL;
	return read_text;
}

static struct status
read_roots(
    const struct config_authority *authority, char **ret_roots, char *ret_why)
{
	if (authority->ca_file[0] == 0)
		return status_ok();
	*ret_roots = read_pem(authority->ca_file);
	if (*ret_roots != NULL)
		return status_ok();
	if (errno == EINVAL)
		return cannot(ret_why,
		    "%.200s (ca_file of %s) holds no certificate in PEM",
		    authority->ca_file, authority->name);
	return cannot(ret_why, "%.200s (ca_file of %s) cannot be read: %s",
	    authority->ca_file, authority->name, strerrordesc_np(errno));
}

/* ---- all of them ---- */

STATUS
authority_files_read(const struct config *config,
    struct authority_files **ret_files, char *ret_why)
{
	const struct config_authority *at = config->acme.authorities.at;
	scoped(authority_files_free) struct authority_files *files =
	    calloc(1, sizeof(*files));
	bool wants_system = false;
	struct status st = status_ok();

	if (files != NULL)
		files->at = calloc(
		    config->acme.authorities.len + 1, sizeof(*files->at));
	if (files == NULL || files->at == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	files->n = config->acme.authorities.len;
	for (size_t i = 0; i < files->n && !failed(st); i++) {
		wants_system |= at[i].ca_file[0] == 0;
		st = read_mac_key(&at[i], &files->at[i].mac_key, ret_why);
		if (!failed(st))
			st = read_roots(&at[i], &files->at[i].roots, ret_why);
	}
	if (failed(st))
		return st;
	/* Without any, its calls say that the CA is not trusted. */
	if (wants_system)
		files->system_roots = read_pem(SYSTEM_ROOTS);
	*ret_files = files;
	files = NULL;
	return st;
}

void
authority_files_free(struct authority_files *files)
{
	if (files == NULL)
		return;
	for (size_t i = 0; files->at != NULL && i < files->n; i++) {
		secret_free(files->at[i].mac_key);
		free(files->at[i].roots);
	}
	free(files->at);
	free(files->system_roots);
	free(files);
}

struct bytes
authority_files_mac_key(const struct authority_files *files, size_t i)
{
	return files->at[i].mac_key == NULL
		   ? (struct bytes){ NULL, 0 }
		   : secret_bytes(files->at[i].mac_key);
}

const char *
authority_files_roots(const struct authority_files *files, size_t i)
{
	return files->at[i].roots != NULL ? files->at[i].roots
					  : files->system_roots;
}
