/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, stubs, certificates, edged_fake and library contexts for tests. */
#include "tests/unit/provider_bed.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/stub.h"

struct bed bed;

static const char *
path(const char *name)
{
	static char text[192];

	snprintf(text, sizeof(text), "%s/%s", bed.dir, name);
	return text;
}

static void
write_file(const char *name, const char *text)
{
	FILE *file = fopen(path(name), "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
make_certificate(enum bed_key which)
{
	X509 *cert = X509_new();
	const EVP_MD *digest = which == BED_ED25519 ? NULL : EVP_sha256();

	assert_non_null(cert);
	assert_true(X509_set_version(cert, X509_VERSION_3));
	assert_true(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1));
	assert_true(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert),
	    "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0));
	assert_true(X509_set_issuer_name(cert, X509_get_subject_name(cert)));
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -60));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
	assert_true(X509_set_pubkey(cert, bed.real[which]));
	assert_true(X509_sign(cert, bed.real[which], digest) > 0);
	bed.cert[which] = cert;
}

static void
make_key(enum bed_key which, EVP_PKEY *key)
{
	char name[128], id_text[KEY_ID_TEXT_MAX];
	unsigned char *spki = NULL;
	struct key_id id;
	FILE *file;
	int len = i2d_PUBKEY(key, &spki);
	struct bytes bytes = { spki, (size_t)len };

	assert_true(len > 0);
	bed.real[which] = key;
	bed.stub[which] = malloc(STUB_PEM_MAX);
	assert_non_null(bed.stub[which]);
	assert_int_equal(
	    stub_encode_pem(bytes, bed.stub[which]).code, STATUS_OK);
	assert_true(key_id_of_spki(bytes, &id));
	key_id_print(&id, id_text);
	snprintf(name, sizeof(name), "%s.key", id_text);
	file = fopen(path(name), "we");
	assert_non_null(file);
	assert_true(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
	assert_int_equal(fclose(file), 0);
	snprintf(name, sizeof(name), "%s.pem", id_text);
	write_file(name, bed.stub[which]);
	OPENSSL_free(spki);
	make_certificate(which);
}

OSSL_LIB_CTX *
bed_libctx(const char *settings)
{
	OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
	char text[1024];

	snprintf(text, sizeof(text),
	    "openssl_conf = init\n[init]\nproviders = all\n"
	    "[all]\ndefault = d\nholdfast = h\n[d]\nactivate = 1\n"
	    "[h]\nmodule = %s\nactivate = 1\nstub-dir = %s\n%s\n",
	    HOLDFAST_SO, bed.dir, settings);
	write_file("openssl.cnf", text);
	assert_non_null(libctx);
	assert_int_equal(
	    OSSL_LIB_CTX_load_config(libctx, path("openssl.cnf")), 1);
	return libctx;
}

static bool
agent_listens(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool yes;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
	    path("edged.sock"));
	yes = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return yes;
}

void
bed_agent_start(void)
{
	if (bed.agent > 0)
		return;
	bed.agent = fork();
	assert_true(bed.agent >= 0);
	if (bed.agent == 0) {
		char socket_path[128];

		snprintf(
		    socket_path, sizeof(socket_path), "%s", path("edged.sock"));
		execl(EDGED_FAKE, EDGED_FAKE, socket_path, bed.dir, "0",
		    (char *)NULL);
		_exit(127);
	}
	for (int i = 0; !agent_listens(); i++) {
		assert_in_range(i, 0, 2000);
		usleep(5000);
	}
}

void
bed_agent_stop(void)
{
	if (bed.agent == 0)
		return;
	kill(bed.agent, SIGKILL);
	assert_int_equal(waitpid(bed.agent, NULL, 0), bed.agent);
	bed.agent = 0;
}

void
bed_cue(const char *word)
{
	if (word[0] == '\0')
		(void)unlink(path("cue"));
	else
		write_file("cue", word);
}

const char *
bed_requests(void)
{
	static char text[4096];
	FILE *file = fopen(path("requests"), "re");
	size_t len = 0;

	if (file != NULL) {
		len = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[len] = '\0';
	return text;
}

int
bed_setup(void **state)
{
	char settings[192];

	(void)state;
	snprintf(bed.dir, sizeof(bed.dir), "/tmp/provider_bed.XXXXXX");
	assert_non_null(mkdtemp(bed.dir));
	make_key(BED_RSA, EVP_RSA_gen(2048));
	make_key(BED_P256, EVP_EC_gen("P-256"));
	make_key(BED_P384, EVP_EC_gen("P-384"));
	make_key(BED_ED25519, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
	snprintf(settings, sizeof(settings), "socket = %s\ntimeout = 20000",
	    path("edged.sock"));
	bed.libctx = bed_libctx(settings);
	return 0;
}

int
bed_teardown(void **state)
{
	struct dirent *entry;
	DIR *dir;

	(void)state;
	bed_agent_stop();
	OSSL_LIB_CTX_free(bed.libctx);
	for (int i = 0; i < BED_KEYS; i++) {
		EVP_PKEY_free(bed.real[i]);
		X509_free(bed.cert[i]);
		free(bed.stub[i]);
	}
	dir = opendir(bed.dir);
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		(void)unlink(path(entry->d_name));
	closedir(dir);
	return rmdir(bed.dir);
}

int
bed_fresh(void **state)
{
	(void)state;
	bed_cue("");
	(void)unlink(path("requests"));
	bed_agent_start();
	ERR_clear_error();
	return 0;
}

EVP_PKEY *
bed_read(OSSL_LIB_CTX *libctx, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key =
	    PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, libctx, NULL);

	BIO_free(bio);
	return key;
}

EVP_PKEY *
bed_load(OSSL_LIB_CTX *libctx, enum bed_key which)
{
	EVP_PKEY *key = bed_read(libctx, bed.stub[which]);

	assert_non_null(key);
	return key;
}

static const char *
digest_for(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519") ? NULL : "SHA256";
}

size_t
bed_sign(EVP_PKEY *key, const char *content, unsigned char *signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = 512;

	if (EVP_DigestSignInit_ex(
		ctx, NULL, digest_for(key), NULL, NULL, key, NULL) != 1 ||
	    EVP_DigestSign(ctx, signature, &len, (const uint8_t *)content,
		strlen(content)) != 1)
		len = 0;
	EVP_MD_CTX_free(ctx);
	return len;
}

bool
bed_verifies(enum bed_key which, const char *content,
    const unsigned char *signature, size_t len)
{
	EVP_PKEY *key = X509_get0_pubkey(bed.cert[which]);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = EVP_DigestVerifyInit_ex(ctx, NULL, digest_for(key), NULL,
			NULL, key, NULL) == 1 &&
		    EVP_DigestVerify(ctx, signature, len,
			(const uint8_t *)content, strlen(content)) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

const char *
bed_errors(void)
{
	static char text[4096];
	const char *data;
	char line[256];
	size_t len = 0;
	unsigned long e;
	int flags;

	text[0] = '\0';
	while ((e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
		ERR_error_string_n(e, line, sizeof(line));
		if (len < sizeof(text) - 1)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "%s:%s\n", line, data);
	}
	return text;
}
