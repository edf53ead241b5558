/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_OBTAIN_H
#define CERTD_OBTAIN_H

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/certificates.h"
#include "certd/config.h"
#include "certd/custody.h"
#include "certd/enrollments.h"
#include "certd/http_challenges.h"
#include "certd/store.h"

/*
 * All that certd has for obtaining certificates by itself, put together: CAs,
 * challenges and who puts them in place, checks, enrollments, the issuer, and
 * their services.  certd/certd.c joins it with the rest.
 */
struct obtain;

#define OBTAIN_WHY_MAX 768

struct obtain_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	const struct config *config;
	struct metrics *metrics;
};

/* Before certd confines itself and before threads: what has to be read or
 * forked.  ret_why names the file that cannot be used. */
STATUS obtain_preload(const struct config *config, char *ret_why);

STATUS obtain_new(const struct obtain_config *config,
    struct obtain **ret_obtain, char *ret_why);
STATUS obtain_register(struct obtain *obtain, struct api *api);
/* From here on certificates are obtained and renewed.  certificates is
 * borrowed till obtain_stop. */
STATUS obtain_start(struct obtain *obtain, struct certificates *certificates);
/* Before the ports are closed: answers who waits for a change. */
void obtain_end_waits(struct obtain *obtain);
/* After the ports are closed; steps under way end first. */
void obtain_stop(struct obtain *obtain);
void obtain_free(struct obtain *obtain); /* NULL is allowed */
SCOPED_RELEASE(obtain_free, struct obtain *);

struct enrollments *obtain_enrollments(struct obtain *obtain);
struct http_challenges *obtain_challenges(struct obtain *obtain);

#endif
