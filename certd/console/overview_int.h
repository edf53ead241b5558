/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONSOLE_OVERVIEW_INT_H
#define CERTD_CONSOLE_OVERVIEW_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "certd/api.h"
#include "certd/console/overview.h"
#include "proto/holdfast/certd/v1/overview.pb-c.h"

/* What the files of overview share; nobody else includes it. */

#define OVERVIEW_KEPT 32
#define OVERVIEW_OPERATORS (ALLOW_OPERATOR | ALLOW_AUDITOR)

/* A reply that was made, but for what keyd says. */
struct overview_kept {
	int64_t account, until_ns; /* monotonic */
	uint8_t *packed;           /* malloc'd */
	size_t len;
};

struct overview {
	struct overview_config config;
	pthread_mutex_t mutex; /* guards kept */
	struct overview_kept kept[OVERVIEW_KEPT];
};

/* What needs somebody, of account (0: of all), into the reply; then edges too,
 * and their counts. */
STATUS overview_needs(struct db_tx *tx, int64_t account, int64_t now_s,
    Holdfast__Certd__V1__GetOverviewResponse *to);
/* What of keyd does; its answer is in the reply, or its trouble. */
STATUS overview_needs_keyd(Holdfast__Certd__V1__GetOverviewResponse *to);
STATUS overview_needs_mail(
    const char *trouble, Holdfast__Certd__V1__GetOverviewResponse *to);
/* Without what that caller may not list where it is. */
void overview_needs_hide(
    Holdfast__Certd__V1__GetOverviewResponse *to, const struct caller *caller);
/* The most severe first, and no more than may be told. */
void overview_needs_sort(Holdfast__Certd__V1__GetOverviewResponse *to);

#define OVERVIEW_TITLE_MAX 512
#define OVERVIEW_DETAIL_MAX 1024
struct overview_need {
	Holdfast__Certd__V1__NeedSeverity severity;
	const char *kind;
	int64_t number; /* its id, unless id is set */
	const char *id, *account;
	int64_t at_s;
	char title[OVERVIEW_TITLE_MAX], detail[OVERVIEW_DETAIL_MAX];
};
#define OVERVIEW_INFO HOLDFAST__CERTD__V1__NEED_SEVERITY__NEED_SEVERITY_INFO
#define OVERVIEW_WARNING                                                       \
	HOLDFAST__CERTD__V1__NEED_SEVERITY__NEED_SEVERITY_WARNING
#define OVERVIEW_CRITICAL                                                      \
	HOLDFAST__CERTD__V1__NEED_SEVERITY__NEED_SEVERITY_CRITICAL

/* False when memory ends. */
bool overview_needs_add(Holdfast__Certd__V1__GetOverviewResponse *to,
    const struct overview_need *need);
/* Edges that are away, held back, stopped or behind (overview_edges.c). */
STATUS overview_edges(struct db_tx *tx, int64_t now_s,
    Holdfast__Certd__V1__GetOverviewResponse *to);

/* Their methods; ctx is the overview. */
STATUS overview_keys_register(struct overview *overview, struct api *api);
STATUS overview_ledger_register(struct overview *overview, struct api *api);
STATUS overview_edges_register(struct overview *overview, struct api *api);

#endif
