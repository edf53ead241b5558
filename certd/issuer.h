/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ISSUER_H
#define CERTD_ISSUER_H

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/authorities.h"
#include "certd/certificates.h"
#include "certd/checks.h"
#include "certd/config.h"
#include "certd/custody.h"
#include "certd/revoked.h"
#include "certd/solver.h"
#include "certd/store.h"

/*
 * Brings changes about: threads that take due rows, do a step, save, and go on.
 * One more thread looks at renewals: begins changes that are due, asks the CAs
 * about their windows (RFC 9773) and revocations.  kill -9 at any moment loses
 * nothing and orders nothing twice.
 */
struct issuer;

struct issuer_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	struct certificates *certificates;
	struct authorities *authorities;
	struct solver *solver;
	struct checks *checks;
	struct revoked *revoked; /* or NULL */
	const struct config *config;
	struct metrics *metrics; /* or NULL */
};

STATUS issuer_start(
    const struct issuer_config *config, struct issuer **ret_issuer);
/* Steps under way end first.  NULL is allowed. */
void issuer_stop(struct issuer *issuer);
SCOPED_RELEASE(issuer_stop, struct issuer *);

#endif
