/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Makes the identity CA's key pair by raw PKCS#11, which libp11 cannot: P-256,
 * sensitive, never extractable, good for signing alone.  Runs in a worker
 * process that ends right after, because libp11 and raw sessions must not meet
 * in one process (each takes the other's login away).  A token that already
 * has a private key labelled "ca" is left as it is.  A key that the token
 * reports as readable is destroyed and refused.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <p11-kit/pkcs11.h>
#include <sys/file.h>

#include "base/scoped.h"
#include "base/secret.h"
#include "hsm/ca_wire.h"

#define SLOTS_MAX 256
#define ID_LEN 32

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static char key_label[] = "ca";

/* What is open, released in the order of its making by close_token. */
struct token {
	void *module;
	CK_FUNCTION_LIST *p11;
	CK_SESSION_HANDLE session;
	bool initialised, open;
};

int
ca_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX) != 0)
		if (errno != EINTR) {
			close(fd);
			return -1;
		}
	return fd;
}

static void
close_token(struct token *token)
{
	if (token->open)
		token->p11->C_CloseSession(token->session);
	if (token->initialised)
		token->p11->C_Finalize(NULL);
	/* The module stays mapped: the process ends next, and some modules
	 * crash when they are unloaded. */
}

static enum ca_why
load(struct token *token, const char *module, uint32_t *ret_detail)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_C_GetFunctionList get_list;
	CK_RV rv;

	token->module = dlopen(module, RTLD_NOW | RTLD_LOCAL);
	if (token->module == NULL)
		return CA_WHY_MODULE;
	*(void **)&get_list = dlsym(token->module, "C_GetFunctionList");
	if (get_list == NULL || get_list(&token->p11) != CKR_OK)
		return CA_WHY_MODULE;
	rv = token->p11->C_Initialize(&args);
	*ret_detail = (uint32_t)rv;
	if (rv != CKR_OK)
		return CA_WHY_TOKEN;
	token->initialised = true;
	return CA_OK;
}

/* PKCS#11 pads labels with spaces and does not end them. */
static bool
label_is(const CK_TOKEN_INFO *info, const char *label)
{
	uint8_t padded[sizeof(info->label)];

	memset(padded, ' ', sizeof(padded));
	memcpy(padded, label, strnlen(label, sizeof(padded)));
	return memcmp(padded, info->label, sizeof(padded)) == 0;
}

static enum ca_why
find_slot(struct token *token, const char *label, CK_SLOT_ID *ret_slot,
    uint32_t *ret_detail)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX;
	CK_RV rv;

	rv = token->p11->C_GetSlotList(CK_TRUE, slots, &n);
	*ret_detail = (uint32_t)rv;
	if (rv != CKR_OK)
		return CA_WHY_TOKEN;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO info;

		if (token->p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
		    (info.flags & CKF_TOKEN_INITIALIZED) != 0 &&
		    label_is(&info, label)) {
			*ret_slot = slots[i];
			return CA_OK;
		}
	}
	return CA_WHY_TOKEN_ABSENT;
}

static enum ca_why
login(struct token *token, const struct ca_wire_config *config,
    uint32_t *ret_detail)
{
	scoped(secret_free) struct secret *pin = NULL;
	struct status st = secret_from_file(config->pin_file, &pin);
	enum ca_why why;
	CK_SLOT_ID slot;
	CK_RV rv;

	if (failed(st)) {
		*ret_detail = st.detail;
		return CA_WHY_PIN_FILE;
	}
	why = find_slot(token, config->token_label, &slot, ret_detail);
	if (why != CA_OK)
		return why;
	rv = token->p11->C_OpenSession(slot,
	    CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &token->session);
	*ret_detail = (uint32_t)rv;
	if (rv != CKR_OK)
		return CA_WHY_TOKEN;
	token->open = true;
	rv = token->p11->C_Login(token->session, CKU_USER, secret_at(pin),
	    (CK_ULONG)secret_bytes(pin).len);
	*ret_detail = (uint32_t)rv;
	if (rv >= CKR_PIN_INCORRECT && rv <= CKR_PIN_LOCKED)
		return CA_WHY_PIN_REFUSED;
	return rv == CKR_OK ? CA_OK : CA_WHY_TOKEN;
}

static enum ca_why
has_key(const struct token *token, bool *ret_has, uint32_t *ret_detail)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_LABEL, key_label, sizeof(key_label) - 1 },
	};
	CK_OBJECT_HANDLE found;
	CK_ULONG n = 0;
	CK_RV rv;

	rv = token->p11->C_FindObjectsInit(token->session, template, 3);
	if (rv == CKR_OK) {
		rv = token->p11->C_FindObjects(token->session, &found, 1, &n);
		token->p11->C_FindObjectsFinal(token->session);
	}
	*ret_detail = (uint32_t)rv;
	*ret_has = n > 0;
	return rv == CKR_OK ? CA_OK : CA_WHY_TOKEN;
}

/* As the token itself reports it, whatever was asked for. */
static bool
key_is_sealed(const struct token *token, CK_OBJECT_HANDLE key)
{
	CK_BBOOL sensitive = CK_FALSE, extractable = CK_TRUE, never = CK_FALSE;
	CK_ATTRIBUTE read[] = {
		{ CKA_SENSITIVE, &sensitive, sizeof(sensitive) },
		{ CKA_EXTRACTABLE, &extractable, sizeof(extractable) },
		{ CKA_NEVER_EXTRACTABLE, &never, sizeof(never) },
	};

	return token->p11->C_GetAttributeValue(token->session, key, read, 3) ==
		   CKR_OK &&
	       sensitive == CK_TRUE && extractable == CK_FALSE &&
	       never == CK_TRUE;
}

static enum ca_why
generate(const struct token *token, uint32_t *ret_detail)
{
	/* OID 1.2.840.10045.3.1.7, prime256v1 */
	static uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
		0x03, 0x01, 0x07 };
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	/* libp11 pairs the two halves by their id; any will do. */
	uint8_t id[ID_LEN];
	CK_ATTRIBUTE public[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_VERIFY, &yes, sizeof(yes) },
		{ CKA_EC_PARAMS, p256, sizeof(p256) },
		{ CKA_LABEL, key_label, sizeof(key_label) - 1 },
		{ CKA_ID, id, sizeof(id) },
	};
	CK_ATTRIBUTE private[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_SENSITIVE, &yes, sizeof(yes) },
		{ CKA_EXTRACTABLE, &no, sizeof(no) },
		{ CKA_SIGN, &yes, sizeof(yes) },
		{ CKA_DECRYPT, &no, sizeof(no) },
		{ CKA_UNWRAP, &no, sizeof(no) },
		{ CKA_DERIVE, &no, sizeof(no) },
		{ CKA_LABEL, key_label, sizeof(key_label) - 1 },
		{ CKA_ID, id, sizeof(id) },
	};
	CK_OBJECT_HANDLE public_key, private_key;
	CK_RV rv;

	if (RAND_bytes(id, sizeof(id)) != 1)
		return CA_WHY_INTERNAL;
	rv = token->p11->C_GenerateKeyPair(token->session, &mechanism, public,
	    sizeof(public) / sizeof(public[0]), private,
	    sizeof(private) / sizeof(private[0]), &public_key, &private_key);
	*ret_detail = (uint32_t)rv;
	if (rv != CKR_OK)
		return CA_WHY_TOKEN;
	if (!key_is_sealed(token, private_key)) {
		token->p11->C_DestroyObject(token->session, private_key);
		token->p11->C_DestroyObject(token->session, public_key);
		return CA_WHY_KEY_WEAK;
	}
	return CA_OK;
}

enum ca_why
ca_create_key(const struct ca_wire_config *config, uint32_t *ret_detail)
{
	scoped(close) int lock = -1;
	struct token token = { 0 };
	bool has = false;
	enum ca_why why;

	lock = ca_lock(config->lock_file);
	if (lock < 0) {
		*ret_detail = (uint32_t)errno;
		return CA_WHY_LOCK;
	}
	why = load(&token, config->module, ret_detail);
	if (why == CA_OK)
		why = login(&token, config, ret_detail);
	if (why == CA_OK)
		why = has_key(&token, &has, ret_detail);
	if (why == CA_OK && !has)
		why = generate(&token, ret_detail);
	close_token(&token);
	return why;
}
