/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CERTIFICATES_INT_H
#define CERTD_CERTIFICATES_INT_H

#include "certd/certificates.h"

/* Between certificates.c, upload.c and upload_key.c. */
struct certificates {
	struct certificates_config config;
};

#endif
