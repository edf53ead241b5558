/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_PEOPLE_H
#define CERTD_PEOPLE_H

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/config.h"
#include "certd/custody.h"
#include "certd/quarantine.h"
#include "certd/report.h"
#include "certd/rest.h"
#include "certd/store.h"

/*
 * All that certd has for people, put together: who logs in, the console's
 * files, what it is told while it is open, and notices for those who do not
 * look.  certd/certd.c joins it with the rest.
 */
struct people;

#define PEOPLE_WHY_MAX 512

struct people_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	struct quarantine *quarantine;
	const struct config *config;
	struct metrics *metrics;
};

/* Before certd confines itself; ret_why as below. */
STATUS people_preload(const struct config *config, char *ret_why);

/* ret_why (PEOPLE_WHY_MAX) is empty when the status says all. */
STATUS people_new(const struct people_config *config,
    struct people **ret_people, char *ret_why);
STATUS people_register(struct people *people, struct api *api);
/* From here on notices are made and sent, until it is freed. */
STATUS people_start(struct people *people);
/* What Status says of keyd and mail, which is borrowed. */
void people_tell(struct people *people, struct report_config *report);
/* What the REST port is given of it, which is borrowed. */
void people_serve(struct people *people, struct rest_config *rest);
/* After the ports are closed.  NULL is allowed */
void people_free(struct people *people);
SCOPED_RELEASE(people_free, struct people *);

#endif
