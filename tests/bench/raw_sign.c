/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The baseline of tests/bench/sign: C_SignInit + C_Sign in a tight loop, by one
 * or more processes, on the token object or on a session-object copy.  No
 * network, no policy, no record: what the token itself can do on this machine.
 *
 *     raw_sign TOKEN PIN_FILE KEY_LABEL PROCESSES copies|token SECONDS
 *
 * prints one JSON object: rate, cpu_us and p50_us a signature.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PROCESSES_MAX 8
#define SAMPLES_MAX 200000

struct lane {
	double ops, cpu_us, wall_s, p50_us;
};

static double
seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
die(const char *what, unsigned long rv)
{
	fprintf(stderr, "raw_sign: %s: 0x%lx\n", what, rv);
	exit(EXIT_FAILURE);
}

static CK_FUNCTION_LIST *
load_module(void)
{
	CK_FUNCTION_LIST *p11 = NULL;
	CK_C_GetFunctionList get;
	void *dl = dlopen(MODULE, RTLD_NOW);

	if (dl == NULL)
		die(dlerror(), 0);
	*(void **)&get = dlsym(dl, "C_GetFunctionList");
	if (get == NULL || get(&p11) != CKR_OK)
		die("C_GetFunctionList", 0);
	return p11;
}

static CK_SLOT_ID
find_slot(CK_FUNCTION_LIST *p11, const char *token)
{
	CK_SLOT_ID slots[16];
	CK_ULONG n = 16;
	CK_TOKEN_INFO info;

	if (p11->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
		die("C_GetSlotList", 0);
	for (CK_ULONG i = 0; i < n; i++) {
		if (p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
		    strncmp((char *)info.label, token, strlen(token)) == 0)
			return slots[i];
	}
	die("no such token", 0);
	return 0;
}

/* Log in under the lock that SoftHSM's start needs, find the key. */
static CK_OBJECT_HANDLE
open_key(CK_FUNCTION_LIST *p11, char **argv, CK_SESSION_HANDLE *ret_session)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_LABEL, argv[3], strlen(argv[3]) },
	};
	CK_OBJECT_HANDLE key = 0;
	CK_ULONG found = 0;
	char pin[256] = "";
	FILE *file = fopen(argv[2], "r");
	int lock = open(argv[2], O_RDONLY | O_CLOEXEC);
	CK_RV rv;

	if (file == NULL || lock < 0 || fgets(pin, sizeof(pin), file) == NULL)
		die("the PIN file cannot be read", 0);
	fclose(file);
	pin[strcspn(pin, "\n")] = '\0';
	flock(lock, LOCK_EX);
	rv = p11->C_Initialize(&args);
	if (rv == CKR_OK)
		rv = p11->C_OpenSession(find_slot(p11, argv[1]),
		    CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
		    ret_session);
	if (rv == CKR_OK)
		rv = p11->C_Login(
		    *ret_session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
	close(lock);
	if (rv != CKR_OK)
		die("the token cannot be opened", rv);
	p11->C_FindObjectsInit(*ret_session, template, 2);
	p11->C_FindObjects(*ret_session, &key, 1, &found);
	p11->C_FindObjectsFinal(*ret_session);
	if (found != 1)
		die("no such key", found);
	return key;
}

static int
compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static void
run_lane(struct lane *lane, char **argv, double seconds)
{
	CK_FUNCTION_LIST *p11 = load_module();
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key = open_key(p11, argv, &session), copy;
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE not_token = { CKA_TOKEN, &no, sizeof(no) };
	CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
	CK_BYTE digest[32] = { 1, 2, 3 }, out[128];
	float *samples = malloc(SAMPLES_MAX * sizeof(*samples));
	double from, cpu, now;
	size_t n = 0;

	if (samples == NULL)
		die("memory", 0);
	if (strcmp(argv[5], "copies") == 0) {
		if (p11->C_CopyObject(session, key, &not_token, 1, &copy) !=
		    CKR_OK)
			die("C_CopyObject", 0);
		key = copy;
	}
	for (int warm = 1; warm >= 0; warm--) {
		double until = warm ? 0.3 : seconds;

		n = 0;
		from = seconds_of(CLOCK_MONOTONIC);
		cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
		do {
			CK_ULONG len = sizeof(out);
			double before = seconds_of(CLOCK_MONOTONIC);
			CK_RV rv = p11->C_SignInit(session, &ecdsa, key);

			digest[n % 32]++;
			if (rv == CKR_OK)
				rv = p11->C_Sign(
				    session, digest, sizeof(digest), out, &len);
			if (rv != CKR_OK)
				die("C_Sign", rv);
			now = seconds_of(CLOCK_MONOTONIC);
			samples[n++ % SAMPLES_MAX] =
			    (float)((now - before) * 1e6);
		} while (now - from < until);
	}
	lane->ops = (double)n;
	lane->wall_s = now - from;
	lane->cpu_us = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6;
	if (n > SAMPLES_MAX)
		n = SAMPLES_MAX;
	qsort(samples, n, sizeof(*samples), compare);
	lane->p50_us = (double)samples[n / 2];
}

int
main(int argc, char **argv)
{
	struct lane *lanes = mmap(NULL, PROCESSES_MAX * sizeof(*lanes),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double rate = 0, cpu = 0, ops = 0;
	int n = argc == 7 ? argv[4][0] - '0' : 0;
	int bad = 0;

	if (n < 1 || n > PROCESSES_MAX || lanes == MAP_FAILED) {
		fprintf(stderr, "usage: raw_sign TOKEN PIN_FILE KEY_LABEL "
				"PROCESSES copies|token SECONDS\n");
		return 2;
	}
	/* Fork first: a module must not be initialised across a fork. */
	for (int i = 0; i < n; i++) {
		if (fork() == 0) {
			run_lane(&lanes[i], argv, strtod(argv[6], NULL));
			_exit(EXIT_SUCCESS);
		}
	}
	for (int i = 0, status; i < n; i++) {
		if (wait(&status) < 0 || status != 0)
			bad = 1;
	}
	for (int i = 0; i < n && !bad; i++) {
		rate += lanes[i].ops / lanes[i].wall_s;
		cpu += lanes[i].cpu_us;
		ops += lanes[i].ops;
	}
	if (bad)
		return EXIT_FAILURE;
	printf("{\"rate\": %.0f, \"cpu_us\": %.2f, \"p50_us\": %.1f}\n", rate,
	    cpu / ops, lanes[0].p50_us);
	return EXIT_SUCCESS;
}
