/* SPDX-License-Identifier: Apache-2.0 */
/* An edge's identity without keyd (member_maker.h). */
#include "tests/unit/member_maker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rpc/enroll.h"
#include "rpc/member_file.h"

void
make_member(struct pki_ca *ca, const char *state_dir, const char *keyd_endpoint)
{
	struct pki_leaf leaf =
	    pki_leaf_new(ca, "URI:spiffe://test/edge/e1", 3600);
	struct enroll_join join = { .identity = "spiffe://test/edge/e1",
		.domain = "test",
		.ca_pem = pki_ca_pem(ca),
		.endpoints = &keyd_endpoint,
		.n_endpoints = 1 };
	char pem[8192], *text = NULL;
	struct status st = member_file_print(MEMBER_FILE_STATE, &join, &text);
	int e = mkdir(state_dir, 0700);

	assert(!failed(st) && (e == 0 || errno == EEXIST));
	(void)!snprintf(pem, sizeof(pem), "%s%s", leaf.key_pem, leaf.cert_pem);
	st = member_file_replace(state_dir, "member.yaml", text, strlen(text));
	assert(!failed(st));
	st = member_file_replace(state_dir, "identity.pem", pem, strlen(pem));
	assert(!failed(st));
	free(text);
	pki_leaf_free(&leaf);
}
