/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A PKCS#11 module that fails on cue.  It stands before a real module
 * (P11_FAULT_MODULE, default SoftHSM) and does what a script
 * (P11_FAULT_SCRIPT) says, one rule a line:
 *
 *     FUNCTION [nth=N | after=N] [once] ACTION
 *
 * nth: only the Nth call; after: all calls behind the first N; counted in each
 * process from when it read the script.  once: only one time in all processes.
 * ACTION: rv=0x101 (return it), finalize (C_Finalize under the caller), crash,
 * sleep_ms=N, count (add one octet to SCRIPT.count), garble (C_Sign: spoil the
 * signature), loosen (C_GenerateKeyPair, C_UnwrapKey: make it extractable),
 * lacks=0x40000212 (the same two: refuse templates with this attribute).
 * Put a new script in place by rename: it is read again when its time changes.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#define RULES_MAX 32

enum action {
	ACTION_NONE,
	ACTION_RV,
	ACTION_FINALIZE,
	ACTION_CRASH,
	ACTION_SLEEP,
	ACTION_COUNT,
	ACTION_GARBLE,
	ACTION_LOOSEN,
	ACTION_LACK,
};

struct rule {
	char function[32];
	unsigned nth, after, calls;
	bool once;
	enum action action;
	unsigned long value;
};

static struct rule rules[RULES_MAX];
static size_t n_rules;
/* When it was written: the number of a file that is gone is given again. */
static unsigned long script_written;
static CK_FUNCTION_LIST *real;
static unsigned long twist_value; /* of the last twist */

static void
read_word(struct rule *rule, const char *word)
{
	if (strncmp(word, "nth=", 4) == 0)
		rule->nth = (unsigned)strtoul(word + 4, NULL, 0);
	else if (strncmp(word, "after=", 6) == 0)
		rule->after = (unsigned)strtoul(word + 6, NULL, 0);
	else if (strcmp(word, "once") == 0)
		rule->once = true;
	else if (strcmp(word, "finalize") == 0)
		rule->action = ACTION_FINALIZE;
	else if (strcmp(word, "crash") == 0)
		rule->action = ACTION_CRASH;
	else if (strcmp(word, "count") == 0)
		rule->action = ACTION_COUNT;
	else if (strcmp(word, "garble") == 0)
		rule->action = ACTION_GARBLE;
	else if (strcmp(word, "loosen") == 0)
		rule->action = ACTION_LOOSEN;
	else if (strncmp(word, "lacks=", 6) == 0) {
		rule->action = ACTION_LACK;
		rule->value = strtoul(word + 6, NULL, 0);
	} else if (strncmp(word, "rv=", 3) == 0) {
		rule->action = ACTION_RV;
		rule->value = strtoul(word + 3, NULL, 0);
	} else if (strncmp(word, "sleep_ms=", 9) == 0) {
		rule->action = ACTION_SLEEP;
		rule->value = strtoul(word + 9, NULL, 0);
	} else {
		fprintf(stderr, "p11_fault: what is \"%s\"?\n", word);
		abort();
	}
}

static void
read_line(char *line)
{
	struct rule *rule = &rules[n_rules];
	char *save = NULL;
	char *word = strtok_r(line, " \n", &save);

	if (word == NULL || word[0] == '#' || n_rules == RULES_MAX)
		return;
	*rule = (struct rule){ .action = ACTION_NONE };
	snprintf(rule->function, sizeof(rule->function), "%s", word);
	while ((word = strtok_r(NULL, " \n", &save)) != NULL)
		read_word(rule, word);
	n_rules++;
}

static void
read_script(void)
{
	const char *path = getenv("P11_FAULT_SCRIPT");
	char line[256];
	unsigned long written;
	struct stat st;
	FILE *file;

	if (path == NULL || stat(path, &st) != 0)
		return;
	written = (unsigned long)st.st_mtim.tv_sec * 1000000000 +
		  (unsigned long)st.st_mtim.tv_nsec + (unsigned long)st.st_ino;
	if (written == script_written)
		return;
	file = fopen(path, "re");
	if (file == NULL)
		return;
	script_written = written;
	n_rules = 0;
	while (fgets(line, sizeof(line), file) != NULL)
		read_line(line);
	fclose(file);
}

/* Open SCRIPT.suffix; false when it cannot be, which is what `once` asks. */
static bool
mark(const char *suffix, int flags, const char *text)
{
	char path[4096];
	bool ok;
	int fd;

	snprintf(
	    path, sizeof(path), "%s.%s", getenv("P11_FAULT_SCRIPT"), suffix);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

static bool
applies(struct rule *rule)
{
	char name[64];

	rule->calls++;
	if (rule->nth != 0 && rule->calls != rule->nth)
		return false;
	if (rule->calls <= rule->after)
		return false;
	if (!rule->once)
		return true;
	snprintf(name, sizeof(name), "once.%lu.%zu", script_written,
	    (size_t)(rule - rules));
	return mark(name, O_EXCL, "");
}

static void
pause_ms(unsigned long ms)
{
	struct timespec left = { .tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&left, NULL);
}

/* Follow the rules for this call.  True: return *ret_rv instead of calling. */
static bool
fault(const char *function, CK_RV *ret_rv, enum action *ret_twist)
{
	read_script();
	for (size_t i = 0; i < n_rules; i++) {
		struct rule *rule = &rules[i];

		if (strcmp(rule->function, function) != 0 || !applies(rule))
			continue;
		switch (rule->action) {
		case ACTION_RV:
			*ret_rv = rule->value;
			return true;
		case ACTION_FINALIZE:
			(void)real->C_Finalize(NULL);
			break;
		case ACTION_CRASH:
			abort();
		case ACTION_SLEEP:
			pause_ms(rule->value);
			break;
		case ACTION_COUNT:
			(void)mark("count", O_APPEND, ".");
			break;
		default:
			*ret_twist = rule->action;
			twist_value = rule->value;
			break;
		}
	}
	return false;
}

#define WRAP(name, params, args)                                               \
	static CK_RV fault_##name params                                       \
	{                                                                      \
		enum action twist = ACTION_NONE;                               \
		CK_RV rv = CKR_OK;                                             \
                                                                               \
		if (fault(#name, &rv, &twist))                                 \
			return rv;                                             \
		return real->name args;                                        \
	}

WRAP(C_Initialize, (void *init), (init))
WRAP(C_Finalize, (void *reserved), (reserved))
WRAP(C_GetSlotList, (CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *n),
    (present, list, n))
WRAP(C_GetTokenInfo, (CK_SLOT_ID slot, CK_TOKEN_INFO *info), (slot, info))
WRAP(C_OpenSession,
    (CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
	CK_SESSION_HANDLE *session),
    (slot, flags, app, notify, session))
WRAP(C_Login,
    (CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin,
	CK_ULONG len),
    (session, user, pin, len))
WRAP(C_CopyObject,
    (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs,
	CK_ULONG n, CK_OBJECT_HANDLE *copy),
    (session, object, attrs, n, copy))
WRAP(C_GetAttributeValue,
    (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs,
	CK_ULONG n),
    (session, object, attrs, n))
WRAP(C_SetAttributeValue,
    (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs,
	CK_ULONG n),
    (session, object, attrs, n))
WRAP(C_FindObjectsInit,
    (CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs, CK_ULONG n),
    (session, attrs, n))
WRAP(C_SignInit,
    (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key),
    (session, mechanism, key))

WRAP(C_DestroyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object),
    (session, object))
WRAP(C_CreateObject,
    (CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs, CK_ULONG n,
	CK_OBJECT_HANDLE *object),
    (session, attrs, n, object))
WRAP(C_GenerateKey,
    (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attrs,
	CK_ULONG n, CK_OBJECT_HANDLE *key),
    (session, mechanism, attrs, n, key))
WRAP(C_WrapKey,
    (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE by,
	CK_OBJECT_HANDLE key, CK_BYTE *wrapped, CK_ULONG *len),
    (session, mechanism, by, key, wrapped, len))

/* Change a template, or refuse it. */
static CK_RV
twist_template(enum action twist, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	static CK_BBOOL yes = CK_TRUE;

	for (CK_ULONG i = 0; i < n; i++) {
		if (twist == ACTION_LOOSEN && attrs[i].type == CKA_EXTRACTABLE)
			attrs[i].pValue = &yes;
		if (twist == ACTION_LACK && attrs[i].type == twist_value)
			return CKR_ATTRIBUTE_TYPE_INVALID;
	}
	return CKR_OK;
}

static CK_RV
fault_C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
    CK_OBJECT_HANDLE by, CK_BYTE *wrapped, CK_ULONG len, CK_ATTRIBUTE *attrs,
    CK_ULONG n, CK_OBJECT_HANDLE *key)
{
	enum action twist = ACTION_NONE;
	CK_RV rv = CKR_OK;

	if (fault("C_UnwrapKey", &rv, &twist))
		return rv;
	rv = twist_template(twist, attrs, n);
	return rv != CKR_OK ? rv
			    : real->C_UnwrapKey(session, mechanism, by, wrapped,
				  len, attrs, n, key);
}

static CK_RV
fault_C_Sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len,
    CK_BYTE *signature, CK_ULONG *signature_len)
{
	enum action twist = ACTION_NONE;
	CK_RV rv = CKR_OK;

	if (fault("C_Sign", &rv, &twist))
		return rv;
	rv = real->C_Sign(session, data, data_len, signature, signature_len);
	if (rv == CKR_OK && twist == ACTION_GARBLE)
		signature[*signature_len / 2] ^= 1;
	return rv;
}

static CK_RV
fault_C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
    CK_ATTRIBUTE *public, CK_ULONG n_public, CK_ATTRIBUTE *private,
    CK_ULONG n_private, CK_OBJECT_HANDLE *public_key,
    CK_OBJECT_HANDLE *private_key)
{
	enum action twist = ACTION_NONE;
	CK_RV rv = CKR_OK;

	if (fault("C_GenerateKeyPair", &rv, &twist))
		return rv;
	rv = twist_template(twist, private, n_private);
	if (rv != CKR_OK)
		return rv;
	return real->C_GenerateKeyPair(session, mechanism, public, n_public,
	    private, n_private, public_key, private_key);
}

static CK_FUNCTION_LIST *
load(void)
{
	const char *path = getenv("P11_FAULT_MODULE");
	CK_C_GetFunctionList get_list = NULL;
	CK_FUNCTION_LIST *list = NULL;
	void *library;

	library =
	    dlopen(path != NULL ? path : "/usr/lib/softhsm/libsofthsm2.so",
		RTLD_NOW | RTLD_LOCAL);
	if (library != NULL)
		*(void **)&get_list = dlsym(library, "C_GetFunctionList");
	return get_list != NULL && get_list(&list) == CKR_OK ? list : NULL;
}

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **ret_list)
{
	static CK_FUNCTION_LIST list;

	if (real == NULL)
		real = load();
	if (real == NULL)
		return CKR_GENERAL_ERROR;
	list = *real;
	list.C_GetFunctionList = C_GetFunctionList;
	list.C_Initialize = fault_C_Initialize;
	list.C_Finalize = fault_C_Finalize;
	list.C_GetSlotList = fault_C_GetSlotList;
	list.C_GetTokenInfo = fault_C_GetTokenInfo;
	list.C_OpenSession = fault_C_OpenSession;
	list.C_Login = fault_C_Login;
	list.C_CopyObject = fault_C_CopyObject;
	list.C_GetAttributeValue = fault_C_GetAttributeValue;
	list.C_SetAttributeValue = fault_C_SetAttributeValue;
	list.C_FindObjectsInit = fault_C_FindObjectsInit;
	list.C_SignInit = fault_C_SignInit;
	list.C_Sign = fault_C_Sign;
	list.C_DestroyObject = fault_C_DestroyObject;
	list.C_CreateObject = fault_C_CreateObject;
	list.C_GenerateKey = fault_C_GenerateKey;
	list.C_WrapKey = fault_C_WrapKey;
	list.C_UnwrapKey = fault_C_UnwrapKey;
	list.C_GenerateKeyPair = fault_C_GenerateKeyPair;
	*ret_list = &list;
	return CKR_OK;
}
