/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LOGIN_COMMON_PASSWORDS_H
#define CERTD_LOGIN_COMMON_PASSWORDS_H

#include <stdbool.h>

/* Is it, in whatever case, one of those that guessers try first? */
bool common_passwords_has(const char *plain);

#endif
