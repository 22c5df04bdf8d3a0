/* SPDX-License-Identifier: MIT */
/*
 * Keys and certificates for a test, made when it runs: none of them lies about, and none expires. Failures fail the test.
 */
#pragma once

#include <openssl/ssl.h>

#include "protocol/cleanup.h"

struct tls_identity {
	EVP_PKEY *key;
	X509 *certificate;
};

/*
 * names: what goes into the subject alternative names, as OpenSSL writes it ("DNS:dns.example, IP:127.0.0.1"); NULL: a
 * certificate authority. issuer NULL: signed with its own key.
 */
struct tls_identity *tls_identity_new(const char *names, const struct tls_identity *issuer);
/* Takes NULL; returns NULL. */
struct tls_identity *tls_identity_free(struct tls_identity *identity);
DEFINE_CLEANUP(struct tls_identity, tls_identity_free)

/* From now on the certificate is what OpenSSL trusts when it is asked for the system's trust (SSL_CERT_FILE); NULL: nothing. */
void tls_identity_trust(const struct tls_identity *identity);
