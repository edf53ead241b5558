/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_TEXT_H
#define CERTD_TEXT_H

#include <stddef.h>

#include "base/status.h"
#include "certd/api.h"
#include "mail/address.h"

/*
 * Texts of callers before they are kept.  INVALID_ARGUMENT, with a sentence in
 * call->why that names the field and says how it should be.
 */

/* Valid UTF-8 of characters fit to be seen (base/printable.h), min..max octets,
 * no blank at either end. */
STATUS text_check_line(struct api_call *call, const char *field,
    const char *text, size_t min, size_t max);
/* 1..40 of a-z 0-9 -, no hyphen at either end. */
STATUS text_check_name(
    struct api_call *call, const char *field, const char *text);

#define TEXT_EMAIL_MAX MAIL_ADDRESS_MAX /* with the closing zero */
/* As mail/address.h has it. */
STATUS text_check_email(
    struct api_call *call, const char *field, const char *text);
#define TEXT_PHONE_MAX 41
/* 3..15 digits (E.164), a "+" before them, and " -./()" between them. */
STATUS text_check_phone(
    struct api_call *call, const char *field, const char *text);

#endif
