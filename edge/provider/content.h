/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_CONTENT_H
#define EDGE_PROVIDER_CONTENT_H

#include "base/bytes.h"
#include "base/signing.h"

/*
 * What these bytes to be signed look like.  OpenSSL does not say what it wants
 * a signature for, so it is read off the content: a TLS 1.3 CertificateVerify
 * (RFC 8446 4.4.3), the signed part of a TLS 1.2 ServerKeyExchange (RFC
 * 8422 5.4), a CertificationRequestInfo (RFC 2986 4.1), else CONTEXT_RAW.  A
 * guess for the request's label only: keyd parses the content again and
 * decides.
 */
enum sign_context content_context(struct bytes content);

#endif
