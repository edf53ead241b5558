/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pebble, its challenge test server and the front as children that the kernel
 * kills when the test ends (see pebble_desk.h).  Talks to their control ports
 * in the plainest HTTP there is.
 */

#include "tests/unit/pebble_desk.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/cert_maker.h"
#include "tests/unit/free_port.h"
#include "tests/unit/scratch.h"

#define EAB_KEY                                                                \
	"zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"

static void
check(bool is_ok, const char *what)
{
	if (is_ok)
		return;
	fprintf(stderr, "pebble_desk: %s failed\n", what);
	abort();
}

/* A connection, or -1. */
static int
connect_to(unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
wait_for_port(unsigned port)
{
	for (int i = 0; i < 6000; i++) {
		int fd = connect_to(port);

		if (fd >= 0) {
			close(fd);
			return;
		}
		usleep(10000);
	}
	check(false, "waiting for a port");
}

/* POST, and the answer's body where it is wanted; malloc'd. */
static char *
post(unsigned port, const char *path, const char *body)
{
	char *answer = calloc(1, 1 << 20), *begin;
	size_t len = 0;
	int fd = connect_to(port);
	FILE *stream = fdopen(fd, "r+");

	check(fd >= 0 && stream != NULL && answer != NULL, "connecting");
	fprintf(stream,
	    "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    path, strlen(body), body);
	fflush(stream);
	len = fread(answer, 1, (1 << 20) - 1, stream);
	fclose(stream);
	check(len > 12 && strncmp(answer + 9, "20", 2) == 0, path);
	begin = strstr(answer, "\r\n\r\n");
	check(begin != NULL, "reading an answer");
	memmove(answer, begin + 4, strlen(begin + 4) + 1);
	return answer;
}

/* ---- programs ---- */

static pid_t
start(const struct pebble_desk *desk, const char *log, char *const *argv)
{
	const pid_t parent = getpid();
	char path[128];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s.log", desk->folder, log);
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		/* Sanitizers are the test's, not theirs. */
		unsetenv("LD_PRELOAD");
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static void
stop(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

static void
write_file(const struct pebble_desk *desk, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", desk->folder, name);
	file = fopen(path, "w");
	check(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0,
	    "writing a file");
}

static void
make_tls(const struct pebble_desk *desk)
{
	const long today = (long)(time(NULL) - MAKER_NOW_S) / MAKER_DAY_S;
	struct made *ca = made_new(&(struct maker){ .cn = "desk CA",
	    .is_ca = true,
	    .from_day = today - 2,
	    .to_day = today + 90 });
	struct made *server = made_new(&(struct maker){ .cn = "localhost",
	    .issuer = ca,
	    .san = "DNS:localhost,IP:127.0.0.1",
	    .from_day = today - 2,
	    .to_day = today + 90 });

	write_file(desk, "ca.pem", ca->pem);
	write_file(desk, "server.pem", server->pem);
	write_file(desk, "server.key", server->key_pem);
	made_free(server);
	made_free(ca);
}

static void
set_number(const char *name, unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	setenv(name, text, 1);
}

void
pebble_desk_start_ca(struct pebble_desk *desk)
{
	char config[1024], path[128], dns[32];
	char program[] = "pebble", option[] = "-config", strict[] = "-strict",
	     server[] = "-dnsserver";
	char *const argv[] = { program, option, path, strict, server, dns,
		NULL };

	snprintf(config, sizeof(config),
	    "{\"pebble\":{\"listenAddress\":\"127.0.0.1:%u\","
	    "\"managementListenAddress\":\"127.0.0.1:%u\","
	    "\"certificate\":\"%s/server.pem\","
	    "\"privateKey\":\"%s/server.key\",\"httpPort\":%u,\"tlsPort\":%u,"
	    "\"ocspResponderURL\":\"\","
	    "\"externalAccountBindingRequired\":%s,"
	    "\"externalAccountMACKeys\":{\"%s\":\"%s\"},"
	    "\"domainBlocklist\":[\"blocked.example\"],"
	    "\"certificateValidityPeriod\":7776000}}",
	    desk->port, desk->management_port, desk->folder, desk->folder,
	    desk->http_port, desk->tls_port,
	    desk->options.eab ? "true" : "false", PEBBLE_DESK_EAB_KID, EAB_KEY);
	write_file(desk, "pebble.json", config);
	snprintf(path, sizeof(path), "%s/pebble.json", desk->folder);
	snprintf(dns, sizeof(dns), "127.0.0.1:%u", desk->dns_port);
	/* One thread: pebble's locks deadlock otherwise. */
	setenv("GOMAXPROCS", "1", 1);
	setenv("PEBBLE_VA_NOSLEEP", "1", 1);
	set_number("PEBBLE_WFE_NONCEREJECT", desk->options.nonce_reject);
	set_number("PEBBLE_AUTHZREUSE", desk->options.authz_reuse);
	set_number("PEBBLE_ALTERNATE_ROOTS", desk->options.alternate_roots);
	desk->pebble = start(desk, "pebble", argv);
	wait_for_port(desk->port);
	wait_for_port(desk->management_port);
}

void
pebble_desk_stop_ca(struct pebble_desk *desk)
{
	stop(&desk->pebble);
}

static void
start_challtestsrv(struct pebble_desk *desk)
{
	char http[32], dns[32], control[32];
	char program[] = "pebble-challtestsrv", none[] = "",
	     local[] = "127.0.0.1";
	char o1[] = "-http01", o2[] = "-https01", o3[] = "-tlsalpn01",
	     o4[] = "-dns01", o5[] = "-management", o6[] = "-defaultIPv4",
	     o7[] = "-defaultIPv6";
	char *const argv[] = { program, o1, http, o2, none, o3, none, o4, dns,
		o5, control, o6, local, o7, none, NULL };

	snprintf(http, sizeof(http), "127.0.0.1:%u", desk->http_port);
	snprintf(dns, sizeof(dns), "127.0.0.1:%u", desk->dns_port);
	snprintf(control, sizeof(control), "127.0.0.1:%u", desk->control_port);
	desk->challtestsrv = start(desk, "challtestsrv", argv);
	wait_for_port(desk->control_port);
}

static void
start_front(struct pebble_desk *desk)
{
	char ports[4][16], ca[128], certificate[128], key[128];
	char program[] = "tests/fake/acme_front.py";
	char o1[] = "--listen", o2[] = "--control", o3[] = "--upstream",
	     o4[] = "--management", o5[] = "--ca", o6[] = "--certificate",
	     o7[] = "--key";
	char *const argv[] = { program, o1, ports[0], o2, ports[1], o3,
		ports[2], o4, ports[3], o5, ca, o6, certificate, o7, key,
		NULL };

	desk->front_port = free_port();
	desk->front_control_port = free_port();
	snprintf(ports[0], sizeof(ports[0]), "%u", desk->front_port);
	snprintf(ports[1], sizeof(ports[1]), "%u", desk->front_control_port);
	snprintf(ports[2], sizeof(ports[2]), "%u", desk->port);
	snprintf(ports[3], sizeof(ports[3]), "%u", desk->management_port);
	snprintf(ca, sizeof(ca), "%s/ca.pem", desk->folder);
	snprintf(
	    certificate, sizeof(certificate), "%s/server.pem", desk->folder);
	snprintf(key, sizeof(key), "%s/server.key", desk->folder);
	desk->front = start(desk, "front", argv);
	wait_for_port(desk->front_control_port);
	wait_for_port(desk->front_port);
	snprintf(desk->directory, sizeof(desk->directory),
	    "https://localhost:%u/dir", desk->front_port);
}

void
pebble_desk_start(
    struct pebble_desk *ret_desk, const struct pebble_desk_options *options)
{
	struct pebble_desk *desk = ret_desk;

	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	*desk = (struct pebble_desk){ .options = *options };
	check(scratch_new(desk->folder, sizeof(desk->folder)), "mkdtemp");
	snprintf(
	    desk->ca_file, sizeof(desk->ca_file), "%s/ca.pem", desk->folder);
	desk->port = free_port();
	desk->management_port = free_port();
	desk->control_port = free_port();
	desk->http_port = free_port();
	desk->tls_port = free_port();
	desk->dns_port = free_port();
	snprintf(desk->directory, sizeof(desk->directory),
	    "https://localhost:%u/dir", desk->port);
	make_tls(desk);
	start_challtestsrv(desk);
	pebble_desk_start_ca(desk);
	if (options->with_front)
		start_front(desk);
}

void
pebble_desk_stop(struct pebble_desk *desk)
{
	stop(&desk->front);
	stop(&desk->pebble);
	stop(&desk->challtestsrv);
	scratch_remove(desk->folder);
}

void
pebble_desk_tell(
    struct pebble_desk *desk, const char *path, const char *format, ...)
{
	va_list arguments;
	char body[1024];

	va_start(arguments, format);
	vsnprintf(body, sizeof(body), format, arguments);
	va_end(arguments);
	free(post(desk->control_port, path, body));
}

void
pebble_desk_front(
    struct pebble_desk *desk, const char *path, const char *format, ...)
{
	va_list arguments;
	char body[1024];

	va_start(arguments, format);
	vsnprintf(body, sizeof(body), format, arguments);
	va_end(arguments);
	free(post(desk->front_control_port, path, body));
}

size_t
pebble_desk_count(struct pebble_desk *desk, const char *kind)
{
	char *log = post(desk->front_control_port, "/log", "{}");
	char wanted[64];
	size_t n = 0;

	snprintf(wanted, sizeof(wanted), "\"on\": \"%s\"", kind);
	for (const char *at = log; (at = strstr(at, wanted)) != NULL; at++)
		n++;
	free(log);
	return n;
}

struct acme *
pebble_desk_client(const struct pebble_desk *desk)
{
	const struct acme_config config = { .directory = desk->directory,
		.ca_file = desk->ca_file,
		.timeout_ms = 20000 };
	struct acme *acme = NULL;
	struct status st = acme_new(&config, &acme);

	check(!failed(st), st.why);
	return acme;
}

size_t
pebble_desk_eab_key(uint8_t ret_key[PEBBLE_DESK_EAB_MAX])
{
	int len = EVP_DecodeBlock(
	    ret_key, (const uint8_t *)EAB_KEY, (int)strlen(EAB_KEY));

	check(len > 0, "decoding the MAC key");
	return (size_t)len;
}

/* ---- keys ---- */

void
desk_key_init(struct desk_key *ret_key, const char *kind)
{
	unsigned char *at = ret_key->spki;
	unsigned bits = 0;
	int len;

	*ret_key = (struct desk_key){ .n_signed = 0 };
	ret_key->key = sscanf(kind, "RSA:%u", &bits) == 1 ? EVP_RSA_gen(bits)
							  : EVP_EC_gen(kind);
	check(ret_key->key != NULL, "making a key");
	len = i2d_PUBKEY(ret_key->key, &at);
	check(len > 0, "writing a public key");
	ret_key->spki_len = (size_t)len;
}

void
desk_key_done(struct desk_key *key)
{
	EVP_PKEY_free(key->key);
}

static struct status
sign(void *ctx, struct bytes input, struct signature *ret_signature,
    char *ret_why)
{
	struct desk_key *key = ctx;
	const char *hash =
	    EVP_PKEY_get_bits(key->key) == 384 ? "SHA384" : "SHA256";
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	key->n_signed++;
	if (key->refusal != NULL) {
		snprintf(ret_why, ACME_SIGN_WHY_MAX, "%s", key->refusal);
		EVP_MD_CTX_free(context);
		return status_fail(STATUS_UNAVAILABLE, "keyd is away");
	}
	ret_signature->len = SIGNATURE_MAX;
	check(EVP_DigestSignInit_ex(
		  context, NULL, hash, NULL, NULL, key->key, NULL) == 1 &&
		  EVP_DigestSign(context, ret_signature->at,
		      &ret_signature->len, input.at, input.len) == 1,
	    "signing");
	EVP_MD_CTX_free(context);
	return status_ok();
}

struct acme_signer
desk_key_signer(struct desk_key *key)
{
	const struct bytes spki = { key->spki, key->spki_len };

	return (struct acme_signer){ .alg = key_alg_of_spki(spki),
		.spki = spki,
		.sign = sign,
		.ctx = key };
}

struct bytes
desk_csr(const char *const *names, size_t n_names)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_REQ *request = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	char san[2048] = "";
	unsigned char *der = NULL;
	X509V3_CTX context;
	int len;

	for (size_t i = 0; i < n_names; i++) {
		size_t at = strlen(san);

		snprintf(san + at, sizeof(san) - at, "%sDNS:%s",
		    i == 0 ? "" : ",", names[i]);
	}
	X509V3_set_ctx(&context, NULL, NULL, request, NULL, 0);
	sk_X509_EXTENSION_push(extensions,
	    X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, san));
	check(X509_REQ_set_pubkey(request, key) == 1 &&
		  X509_REQ_add_extensions(request, extensions) == 1 &&
		  X509_REQ_sign(request, key, EVP_sha256()) > 0,
	    "making a request");
	len = i2d_X509_REQ(request, &der);
	check(len > 0, "writing a request");
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_REQ_free(request);
	EVP_PKEY_free(key);
	return (struct bytes){ der, (size_t)len };
}
