/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHOICES_H
#define CERTD_CHOICES_H

#include "base/status.h"
#include "certd/api.h"
#include "certd/authorities.h"
#include "certd/config.h"
#include "certd/store.h"

/* Service Choices: what an account may name of certd.yaml.  Any thread. */

#define CHOICES_MAX 200 /* of each kind */

struct choices_config {
	struct store *store; /* all borrowed */
	const struct config *config;
	struct authorities *authorities;
};

/* config is borrowed as long as there is the api. */
STATUS choices_register(struct choices_config *config, struct api *api);

#endif
