/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_DEFAULT_RULES_H
#define CERTD_NOTICES_DEFAULT_RULES_H

/*
 * The rules that an account begins with, as SQL: event, days, told, disabled;
 * numbers of certd/notices/notice_event.h.  Expiry 14, 7 and 0 days before, and
 * what has expired, to administrators and engineers; failures and what waits
 * for a person to the contacts too; a first certificate to administrators and
 * contacts; renewals that went well to nobody, until the rule is enabled.
 */
#define DEFAULT_RULES_VALUES                                                   \
	"VALUES (1, '14 7 0', 3, 0), (2, '', 3, 0), (3, '', 25, 0),"           \
	" (4, '', 27, 0), (5, '', 3, 1), (6, '', 27, 0), (7, '', 27, 0),"      \
	" (8, '', 27, 0), (12, '', 27, 0)"

#endif
