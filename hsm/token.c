/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From the path of a module to a token that is logged in.  The module gets our
 * mutexes, since it may have threads of its own and SoftHSM is faster with
 * adaptive ones; never C_Initialize(NULL).  The token is chosen by its label,
 * never by slot number, and refused when two carry it.  The PIN is read for one
 * C_Login and wiped; a refusal is passed on at once, as a real HSM locks itself
 * after a few.
 */

#include "hsm/token.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

#define SLOTS_MAX 256

static CK_RV
mutex_create(void **ret_mutex)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t *mutex = malloc(sizeof(*mutex));

	if (mutex == NULL)
		return CKR_HOST_MEMORY;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	*ret_mutex = mutex;
	return CKR_OK;
}

static CK_RV
mutex_destroy(void *mutex)
{
	if (mutex == NULL)
		return CKR_MUTEX_BAD;
	pthread_mutex_destroy(mutex);
	free(mutex);
	return CKR_OK;
}

static CK_RV
mutex_lock(void *mutex)
{
	return pthread_mutex_lock(mutex) == 0 ? CKR_OK : CKR_MUTEX_BAD;
}

static CK_RV
mutex_unlock(void *mutex)
{
	return pthread_mutex_unlock(mutex) == 0 ? CKR_OK : CKR_MUTEX_NOT_LOCKED;
}

enum reason
token_lock(struct token *token, int64_t limit_ns, int *ret_fd)
{
	const struct timespec pause = { .tv_nsec = 5 * NS_PER_MS };
	int64_t until = clock_mono_ns() + limit_ns;
	int fd = open(
	    token->lock_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		token->detail = (uint32_t)errno;
		return REASON_LOCK_FILE;
	}
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (clock_mono_ns() > until) {
			token->detail = (uint32_t)errno;
			close(fd);
			return REASON_LOCK_HELD;
		}
		nanosleep(&pause, NULL);
	}
	*ret_fd = fd;
	return REASON_OK;
}

static enum reason
fail(struct token *token, enum reason reason, CK_RV rv)
{
	token->detail = (uint32_t)rv;
	return reason;
}

static enum reason
load(struct token *token)
{
	CK_C_GetFunctionList get_list;
	CK_RV rv;

	if (token->p11 != NULL)
		return REASON_OK;
	if (token->library == NULL)
		token->library = dlopen(token->module, RTLD_NOW | RTLD_LOCAL);
	if (token->library == NULL)
		return fail(token, REASON_MODULE, 0);
	/* POSIX's own way round the cast ISO C forbids. */
	*(void **)&get_list = dlsym(token->library, "C_GetFunctionList");
	if (get_list == NULL)
		return fail(token, REASON_MODULE, 0);
	rv = get_list(&token->p11);
	if (rv != CKR_OK || token->p11 == NULL) {
		token->p11 = NULL;
		return fail(token, REASON_MODULE, rv);
	}
	return REASON_OK;
}

static enum reason
initialize(struct token *token)
{
	CK_C_INITIALIZE_ARGS args = {
		.CreateMutex = mutex_create,
		.DestroyMutex = mutex_destroy,
		.LockMutex = mutex_lock,
		.UnlockMutex = mutex_unlock,
		.flags = CKF_OS_LOCKING_OK,
	};
	CK_RV rv = token->p11->C_Initialize(&args);

	if (rv == CKR_CANT_LOCK || rv == CKR_ARGUMENTS_BAD) {
		args = (CK_C_INITIALIZE_ARGS){ .flags = CKF_OS_LOCKING_OK };
		rv = token->p11->C_Initialize(&args);
	}
	if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
		return fail(token, REASON_MODULE_INIT, rv);
	token->initialized = true;
	token->generation++;
	return REASON_OK;
}

/* CK_TOKEN_INFO's label is padded with blanks, not terminated. */
static bool
label_is(const CK_TOKEN_INFO *info, const char *label)
{
	size_t len = strlen(label);

	if (len > sizeof(info->label) || memcmp(info->label, label, len) != 0)
		return false;
	for (size_t i = len; i < sizeof(info->label); i++) {
		if (info->label[i] != ' ')
			return false;
	}
	return true;
}

static enum reason
find_slot(struct token *token)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_TOKEN_INFO info;
	CK_ULONG n = SLOTS_MAX;
	bool found = false;
	CK_RV rv = token->p11->C_GetSlotList(CK_TRUE, slots, &n);

	if (rv != CKR_OK)
		return fail(token, REASON_TOKEN_MISSING, rv);
	for (CK_ULONG i = 0; i < n; i++) {
		if (token->p11->C_GetTokenInfo(slots[i], &info) != CKR_OK ||
		    !label_is(&info, token->label))
			continue;
		if (found)
			return fail(token, REASON_TOKEN_AMBIGUOUS, 0);
		found = true;
		token->slot = slots[i];
	}
	return found ? REASON_OK : fail(token, REASON_TOKEN_MISSING, 0);
}

static enum reason
login(struct token *token)
{
	scoped(secret_free) struct secret *pin = NULL;
	struct status st = secret_from_file(token->pin_file, &pin);
	CK_RV rv;

	if (failed(st))
		return fail(token, REASON_PIN_FILE, st.detail);
	rv = token->p11->C_Login(
	    token->anchor, CKU_USER, secret_at(pin), secret_bytes(pin).len);
	if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
		return REASON_OK;
	return fail(token, ck_error_reason(rv), rv);
}

static enum reason
open_sessions(struct token *token)
{
	const CK_FLAGS rw = CKF_SERIAL_SESSION | CKF_RW_SESSION;
	enum reason reason;
	CK_RV rv;

	rv = token->p11->C_OpenSession(
	    token->slot, rw, NULL, NULL, &token->anchor);
	if (rv != CKR_OK)
		return fail(token, REASON_AWAY, rv);
	reason = login(token);
	if (reason != REASON_OK)
		return reason;
	rv = token->p11->C_OpenSession(
	    token->slot, CKF_SERIAL_SESSION, NULL, NULL, &token->signer);
	if (rv != CKR_OK)
		return fail(token, REASON_AWAY, rv);
	return REASON_OK;
}

enum reason
token_open(struct token *token)
{
	enum reason reason = load(token);

	if (reason == REASON_OK)
		reason = initialize(token);
	if (reason == REASON_OK)
		reason = find_slot(token);
	if (reason == REASON_OK)
		reason = open_sessions(token);
	if (reason == REASON_OK)
		token->up = true;
	else
		token_close(token);
	return reason;
}

void
token_close(struct token *token)
{
	token->up = false;
	if (token->initialized)
		(void)token->p11->C_Finalize(NULL);
	token->initialized = false;
}

bool
token_answers(struct token *token)
{
	CK_SESSION_INFO session;
	CK_TOKEN_INFO info;

	return token->up &&
	       token->p11->C_GetTokenInfo(token->slot, &info) == CKR_OK &&
	       label_is(&info, token->label) &&
	       token->p11->C_GetSessionInfo(token->anchor, &session) ==
		   CKR_OK &&
	       session.state == CKS_RW_USER_FUNCTIONS;
}

enum reason
token_renew_signer(struct token *token)
{
	CK_RV rv;

	(void)token->p11->C_CloseSession(token->signer);
	rv = token->p11->C_OpenSession(
	    token->slot, CKF_SERIAL_SESSION, NULL, NULL, &token->signer);
	return rv == CKR_OK ? REASON_OK : fail(token, REASON_AWAY, rv);
}
