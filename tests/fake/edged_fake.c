/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stands in for edged, keyd and the token together: speaks edge/sock.h and
 * signs with keys in software.  For tests of the provider, never for use.
 *
 *     edged_fake SOCKET KEYDIR [delay_ms]
 *
 * KEYDIR/<key id in hex>.key is a private key in PEM.  KEYDIR/requests gets one
 * line a request: context, scheme and length.  KEYDIR/cue, when it is there,
 * holds the word for what to do in place of signing; see obey.  One thread; all
 * answers wait delay_ms.  Ends with the process that started it.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/sock.h"

#define FD_MAX 1024
#define PENDING_MAX 1024
#define KEYS_MAX 16
#define PATH_SIZE 512
#define CUE_SIZE 32

struct pending {
	int64_t due_ns;
	int fd;
	uint32_t serial; /* of the connection it is for */
	size_t len;
	uint8_t message[sizeof(struct sock_reply) + SIGNATURE_MAX + 64];
};

static const char *key_dir;
static int64_t delay_ns;
/* Changes when a descriptor is used by another connection. */
static uint32_t serials[FD_MAX];
static struct pending pending[PENDING_MAX];
static size_t pending_first, pending_n;
static struct {
	struct key_id id;
	EVP_PKEY *key;
} keys[KEYS_MAX];
static size_t n_keys;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
path_of(const char *name, const char *end, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s%s", key_dir, name, end);
}

static EVP_PKEY *
find_key(const struct key_id *id)
{
	char text[KEY_ID_TEXT_MAX], path[PATH_SIZE];
	scoped(fclose) FILE *file = NULL;

	for (size_t i = 0; i < n_keys; i++) {
		if (key_id_equal(&keys[i].id, id))
			return keys[i].key;
	}
	key_id_print(id, text);
	path_of(text, ".key", path);
	file = fopen(path, "re");
	if (file == NULL || n_keys == KEYS_MAX)
		return NULL;
	keys[n_keys].id = *id;
	keys[n_keys].key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	return keys[n_keys++].key;
}

static const EVP_MD *
digest_of(enum sign_hash hash)
{
	switch (hash) {
	case SIGN_HASH_SHA256:
		return EVP_sha256();
	case SIGN_HASH_SHA384:
		return EVP_sha384();
	case SIGN_HASH_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

static size_t
sign_with(EVP_PKEY *key, const struct sign_scheme_info *info,
    struct bytes content, uint8_t ret_at[SIGNATURE_MAX])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	size_t len = SIGNATURE_MAX;

	if (EVP_DigestSignInit(ctx, &how, digest_of(info->hash), NULL, key) !=
	    1)
		len = 0;
	else if (info->padding == SIGN_PADDING_PSS &&
		 (EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) !=
			 1 ||
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(
			 how, RSA_PSS_SALTLEN_DIGEST) != 1))
		len = 0;
	else if (EVP_DigestSign(ctx, ret_at, &len, content.at, content.len) !=
		 1)
		len = 0;
	EVP_MD_CTX_free(ctx);
	return len;
}

static struct pending *
new_pending(int fd)
{
	struct pending *p =
	    &pending[(pending_first + pending_n++) % PENDING_MAX];

	if (pending_n > PENDING_MAX)
		die("too many requests");
	p->due_ns = clock_mono_ns() + delay_ns;
	p->fd = fd;
	p->serial = serials[fd];
	p->len = 0;
	return p;
}

static void
answer(int fd, uint32_t id, enum status_code code, struct bytes body)
{
	const struct sock_reply head = { SOCK_MAGIC_REPLY, id, code,
		(uint32_t)body.len };
	struct pending *p = new_pending(fd);

	memcpy(p->message, &head, sizeof(head));
	memcpy(p->message + sizeof(head), body.at, body.len);
	p->len = sizeof(head) + body.len;
}

static void
hang_up(int fd)
{
	serials[fd]++;
	close(fd);
}

static void
read_cue(char cue[CUE_SIZE])
{
	char path[PATH_SIZE];
	scoped(fclose) FILE *file = NULL;

	path_of("cue", "", path);
	file = fopen(path, "re");
	cue[0] = '\0';
	if (file != NULL && fgets(cue, CUE_SIZE, file) != NULL)
		cue[strcspn(cue, "\n")] = '\0';
	if (strcmp(cue, "close-once") == 0)
		unlink(path);
}

/* False when the cue, or its absence, asks for a signature. */
static bool
obey(const char *cue, int fd, uint32_t id)
{
	static const char garbage[] = "this is not a reply of any kind at all";
	static uint8_t zeros[SIGNATURE_MAX + 32];

	if (strcmp(cue, "silent") == 0)
		return true;
	if (strncmp(cue, "close", 5) == 0)
		hang_up(fd);
	else if (strcmp(cue, "refuse") == 0)
		answer(fd, id, STATUS_PERMISSION_DENIED,
		    bytes_of("edge/test has no grant on this key\nat all"));
	else if (strcmp(cue, "unavailable") == 0)
		answer(fd, id, STATUS_UNAVAILABLE,
		    bytes_of("no keyd can be reached"));
	else if (strcmp(cue, "other-id") == 0)
		answer(fd, id + 1, STATUS_OK, (struct bytes){ zeros, 64 });
	else if (strcmp(cue, "long") == 0)
		answer(
		    fd, id, STATUS_OK, (struct bytes){ zeros, sizeof(zeros) });
	else if (strcmp(cue, "garbage") == 0) {
		struct pending *p = new_pending(fd);

		p->len = sizeof(garbage);
		memcpy(p->message, garbage, sizeof(garbage));
	} else {
		return false;
	}
	return true;
}

static void
note(const struct sock_request *request)
{
	char path[PATH_SIZE];
	scoped(fclose) FILE *file = NULL;

	path_of("requests", "", path);
	file = fopen(path, "ae");
	if (file != NULL)
		fprintf(file, "%s %s %u\n",
		    sign_context_name((enum sign_context)request->context),
		    sign_scheme_info(request->scheme)->name, request->length);
}

static void
serve(int fd, const struct sock_request *request, struct bytes content)
{
	const struct sign_scheme_info *info = sign_scheme_info(request->scheme);
	uint8_t signature[SIGNATURE_MAX];
	char cue[CUE_SIZE];
	struct key_id id;
	EVP_PKEY *key;
	size_t len;

	if (request->magic != SOCK_MAGIC_REQUEST || request->zero != 0 ||
	    request->length != content.len || info == NULL ||
	    sign_context_name((enum sign_context)request->context) == NULL) {
		hang_up(fd);
		return;
	}
	note(request);
	read_cue(cue);
	if (obey(cue, fd, request->id))
		return;
	memcpy(id.at, request->key_id, KEY_ID_LEN);
	key = find_key(&id);
	len = key == NULL ? 0 : sign_with(key, info, content, signature);
	if (len == 0) {
		answer(fd, request->id, STATUS_NOT_FOUND,
		    bytes_of("there is no such key"));
		return;
	}
	if (strcmp(cue, "short") == 0)
		len--;
	answer(fd, request->id, STATUS_OK, (struct bytes){ signature, len });
	/* Also the answer to the next request, if that is for the same. */
	if (strcmp(cue, "ahead") == 0)
		answer(fd, request->id + 1, STATUS_OK,
		    (struct bytes){ signature, len });
}

static void
receive(int fd)
{
	static uint8_t message[SOCK_MESSAGE_MAX];
	struct sock_request request;
	ssize_t n = recv(fd, message, sizeof(message), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < (ssize_t)sizeof(request)) {
		hang_up(fd);
		return;
	}
	memcpy(&request, message, sizeof(request));
	serve(fd, &request,
	    (struct bytes){
		message + sizeof(request), (size_t)n - sizeof(request) });
}

/* Returns milliseconds until the next answer is due; -1: none. */
static int
send_due(void)
{
	while (pending_n > 0) {
		struct pending *p = &pending[pending_first % PENDING_MAX];
		int64_t left = p->due_ns - clock_mono_ns();

		if (left > 0)
			return (int)(left / NS_PER_MS) + 1;
		if (serials[p->fd] == p->serial)
			(void)send(p->fd, p->message, p->len,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		pending_first++;
		pending_n--;
	}
	return -1;
}

static int
listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		die("socket");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    chmod(path, 0666) != 0 || listen(fd, 128) != 0)
		die(path);
	return fd;
}

static void
watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd >= FD_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
}

int
main(int argc, char **argv)
{
	struct epoll_event events[32];
	int epoll, listener;

	if (argc < 3) {
		fprintf(stderr, "usage: edged_fake SOCKET KEYDIR [delay_ms]\n");
		return 2;
	}
	key_dir = argv[2];
	delay_ns = argc > 3 ? strtol(argv[3], NULL, 10) * NS_PER_MS : 0;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	listener = listen_at(argv[1]);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(epoll, listener);
	for (;;) {
		int n = epoll_wait(epoll, events, 32, send_due());

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listener)
				fd = accept4(listener, NULL, NULL,
				    SOCK_CLOEXEC | SOCK_NONBLOCK);
			else
				receive(fd);
			if (events[i].data.fd == listener && fd >= 0)
				watch(epoll, fd);
		}
	}
}
