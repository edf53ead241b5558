/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast key csr: a PKCS#10 request (RFC 2986) for a key in the token.  keyd
 * is sent its CertificationRequestInfo, checks that it is for that very key,
 * and signs it.  The signature is verified before the request is handed out.
 */

#include <stdio.h>
#include <stdlib.h>

#include "pki/csr.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"
#include "tools/key.h"

/* keyd signs the CertificationRequestInfo; 0 or an exit code after printing. */
static int
sign_request(
    struct cli *cli, struct csr *csr, const Holdfast__Keyd__V1__Key *key)
{
	Holdfast__Keyd__V1__SignRequest request =
	    HOLDFAST__KEYD__V1__SIGN_REQUEST__INIT;
	const Holdfast__Keyd__V1__SignResponse *response;
	const struct bytes info = csr_info(csr);
	ProtobufCMessage *reply = NULL;
	struct status st;
	int rc;

	request.key_id = key->id;
	request.scheme = csr_scheme((enum key_alg)key->algorithm);
	request.context = (Holdfast__Keyd__V1__Context)CONTEXT_CSR;
	request.content =
	    (ProtobufCBinaryData){ info.len, (uint8_t *)(uintptr_t)info.at };
	request.timeout_ms = cli->timeout_ms;
	rc = cli_call(cli, &holdfast__keyd__v1__signer__descriptor, "Sign",
	    &request.base, &reply);
	if (rc != 0)
		return rc;
	response = (const Holdfast__Keyd__V1__SignResponse *)reply;
	st = csr_sign(csr, (struct bytes){ response->signature.data,
			       response->signature.len });
	protobuf_c_message_free_unpacked(reply, NULL);
	if (failed(st))
		return cli_fail(EXIT_REFUSED,
		    "keyd's signature does not verify; nothing was written");
	return 0;
}

int
cli_key_csr(struct cli *cli, int argc, char **argv)
{
	const char *path = cli_option(&argc, argv, "-o");
	scoped(csr_free) struct csr *csr = NULL;
	scoped(free) char *text = NULL;
	Holdfast__Keyd__V1__Key *key = NULL;
	char why[CSR_WHY_MAX] = "";
	const char *const *names;
	size_t n_names;
	struct status st;
	int rc;

	if (!cli_rest(argc, argv, 2, CSR_NAMES_MAX + 1,
		"key csr KEY NAME... [-o FILE]"))
		return EXIT_USAGE;
	names = (const char *const *)(argv + 1);
	n_names = (size_t)argc - 1;
	if (failed(csr_check_names(names, n_names, why)))
		return cli_fail(EXIT_USAGE, "%s", why);
	rc = cli_get_key(cli, argv[0], &key);
	if (rc != 0)
		return rc;
	st = csr_new((struct bytes){ key->spki.data, key->spki.len }, names,
	    n_names, &csr, why);
	if (failed(st))
		rc = cli_fail(EXIT_REFUSED, "%s: %s", key->label, why);
	else
		rc = sign_request(cli, csr, key);
	protobuf_c_message_free_unpacked(&key->base, NULL);
	if (rc != 0)
		return rc;
	if (failed(csr_pem(csr, &text)))
		return cli_fail(EXIT_REFUSED, "the request cannot be written");
	return cli_write_file(path, text);
}
