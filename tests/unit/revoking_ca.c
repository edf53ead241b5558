/* SPDX-License-Identifier: Apache-2.0 */

/* A CA in a folder, by the openssl command; see revoking_ca.h. */

#include "tests/unit/revoking_ca.h"

#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pki/pem.h"

static const char config[] =
    "[ca]\n"
    "default_ca = one\n"
    "[one]\n"
    "database = index.txt\n"
    "new_certs_dir = .\n"
    "serial = serial\n"
    "crlnumber = crlnumber\n"
    "certificate = ca.pem\n"
    "private_key = ca.key\n"
    "default_md = sha256\n"
    "default_days = 30\n"
    "default_crl_days = 7\n"
    "policy = any\n"
    "unique_subject = no\n"
    "[any]\n"
    "commonName = supplied\n"
    "[request]\n"
    "distinguished_name = none\n"
    "[none]\n"
    "[responder]\n"
    "extendedKeyUsage = OCSPSigning\n"
    "[delta]\n"
    "2.5.29.27 = critical,DER:02:01:01\n"
    "[place]\n"
    "issuingDistributionPoint = critical,@place_of\n"
    "[place_of]\n"
    "fullname = URI:http://crl.example.com/1.crl\n"
    "[indirect]\n"
    "issuingDistributionPoint = critical,@indirect_of\n"
    "[indirect_of]\n"
    "indirectCRL = TRUE\n"
    "[only_ca]\n"
    "issuingDistributionPoint = critical,@only_ca_of\n"
    "[only_ca_of]\n"
    "onlyCA = TRUE\n"
    "[leaf]\n"
    "basicConstraints = CA:false\n"
    "subjectAltName = DNS:www.example.com\n";

static const char functions[] =
    "key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }\n"
    "issue() {\n"
    " key $1\n"
    " openssl req -new -config ca.cnf -section request -key $1.key"
    "  -subj /CN=$1 -out $1.csr\n"
    " openssl ca -config ca.cnf -batch -notext -extensions ${2:-leaf}"
    "  -in $1.csr -out $1.pem\n"
    "}\n"
    "revoke() { openssl ca -config ca.cnf -revoke $1.pem -crl_reason $2; }\n"
    "crl() {\n"
    " name=$1; shift\n"
    " openssl ca -config ca.cnf -gencrl \"$@\" |"
    "  openssl crl -outform DER -out $name.crl\n"
    "}\n"
    "answer() {\n"
    " asked=$1 name=$2; shift 2\n"
    " [ \"$#\" -gt 0 ] || set -- -rsigner ca.pem -rkey ca.key -ndays 1\n"
    " openssl ocsp -index index.txt -CA ca.pem -reqin $asked"
    "  -respout $name.ocsp \"$@\"\n"
    "}\n";

void
revoking_ca_run(const struct revoking_ca *ca, const char *script)
{
	char text[8192];
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-euc" }, text, NULL };
	extern char **environ;
	int status = -1;
	pid_t pid;

	assert_true(
	    (size_t)snprintf(text, sizeof(text), "cd %s; exec >log 2>&1\n%s%s",
		ca->folder, functions, script) < sizeof(text));
	assert_int_equal(
	    posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0) {
		struct bytes log = revoking_ca_read(ca, "log");

		fail_msg(
		    "%s\n%.*s", script, (int)log.len, (const char *)log.at);
	}
}

static FILE *
open_in(const struct revoking_ca *ca, const char *name, const char *mode)
{
	char path[SCRATCH_PATH_MAX + 64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", ca->folder, name);
	file = fopen(path, mode);
	assert_non_null(file);
	return file;
}

struct bytes
revoking_ca_read(const struct revoking_ca *ca, const char *name)
{
	FILE *file = open_in(ca, name, "rb");
	struct stat info;
	uint8_t *at;

	assert_int_equal(fstat(fileno(file), &info), 0);
	at = malloc((size_t)info.st_size + 1);
	assert_non_null(at);
	assert_int_equal(
	    fread(at, 1, (size_t)info.st_size, file), (size_t)info.st_size);
	fclose(file);
	return (struct bytes){ at, (size_t)info.st_size };
}

void
revoking_ca_write(
    const struct revoking_ca *ca, const char *name, struct bytes octets)
{
	FILE *file = open_in(ca, name, "wb");

	assert_int_equal(fwrite(octets.at, 1, octets.len, file), octets.len);
	assert_int_equal(fclose(file), 0);
}

struct pki_cert *
revoking_ca_cert(const struct revoking_ca *ca, const char *name)
{
	char file[64], why[PEM_WHY_MAX > PKI_CERT_WHY_MAX ? PEM_WHY_MAX
							  : PKI_CERT_WHY_MAX];
	struct pem_reader reader;
	struct pem_block block;
	struct pki_cert *cert = NULL;
	struct bytes pem;
	uint8_t *der;
	size_t len = 0;
	bool found = false;

	snprintf(file, sizeof(file), "%s.pem", name);
	pem = revoking_ca_read(ca, file);
	der = malloc(pem.len + 1);
	assert_non_null(der);
	pem_reader_init(&reader, pem);
	assert_false(failed(pem_reader_next(&reader, &block, &found, why)));
	assert_true(found);
	assert_false(failed(pem_decode(&block, der, &len, why)));
	assert_false(
	    failed(pki_cert_parse((struct bytes){ der, len }, &cert, why)));
	free(der);
	free((void *)(uintptr_t)pem.at);
	return cert;
}

void
revoking_ca_new(
    struct revoking_ca *ca, const char *crl_url, const char *ocsp_url)
{
	char text[4096];
	int len = snprintf(text, sizeof(text), "%s", config);

	assert_true(scratch_new(ca->folder, sizeof(ca->folder)));
	if (crl_url[0] != 0)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    "crlDistributionPoints = URI:%s\n", crl_url);
	if (ocsp_url[0] != 0)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    "authorityInfoAccess = OCSP;URI:%s\n", ocsp_url);
	assert_true((size_t)len < sizeof(text));
	revoking_ca_write(ca, "ca.cnf", bytes_of(text));
	revoking_ca_run(ca,
	    "key ca\n"
	    "openssl req -x509 -config ca.cnf -section request -key ca.key"
	    " -subj '/CN=Revoking CA' -days 3650"
	    " -addext basicConstraints=critical,CA:true"
	    " -addext keyUsage=critical,keyCertSign,cRLSign -out ca.pem\n"
	    ": >index.txt; echo 00a1b2c3d4e5f60718 >serial; echo 01 "
	    ">crlnumber\n");
}

void
revoking_ca_done(struct revoking_ca *ca)
{
	(void)scratch_remove(ca->folder);
}
