/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_ACME_FAKE_INT_H
#define TESTS_FAKE_ACME_FAKE_INT_H

#include <pthread.h>
#include <stdlib.h>

#include "tests/fake/acme_fake.h"

/* Between the files of the CAs in memory. */
#define ORDERS_MAX 64
#define NAMES_MAX 8
#define FAULTS_MAX 8
#define PEM_MAX 8192
#define DER_MAX 2048

struct fake_order {
	size_t n_names;
	char names[NAMES_MAX][256];
	bool answered[NAMES_MAX], deactivated[NAMES_MAX];
	enum acme_status status;
	size_t proof;   /* the order of its authorizations, and 1; 0: itself */
	unsigned looks; /* left until it is done */
	int64_t expires_s;
	char pem[PEM_MAX];
};

struct fault {
	char call[32];
	struct acme_problem problem;
	unsigned times;
	bool is_after;
};

struct acme {
	pthread_mutex_t gate;  /* each call passes it */
	pthread_mutex_t mutex; /* guards all below */
	char name[16];
	bool is_down;
	bool wants_person; /* said so last: choosing passes it over */
	bool was_asked;    /* so the next one waits, where it is limited */
	struct acme_fake_script script;
	struct fault faults[FAULTS_MAX];
	struct acme_fake_counts counts;
	size_t n_orders;
	struct fake_order orders[ORDERS_MAX];
	uint8_t key[DER_MAX], cert[DER_MAX];
	long key_len, cert_len;
	long serial;
};

struct authorities {
	struct acme cas[FAKE_CAS];
	struct config_authority configured[FAKE_CAS];
};

static inline void
must(bool ok)
{
	if (!ok)
		abort();
}

/* Its key and certificate. */
void acme_fake_make_ca(struct acme *acme);
/* The order's certificate, as the script wants it; with the mutex held. */
void acme_fake_issue(
    struct acme *acme, struct fake_order *order, struct bytes csr);

#endif
