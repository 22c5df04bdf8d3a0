/* SPDX-License-Identifier: MIT */
#include "tests/support/tls_identity.h"

#include <check.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "tests/support/suite.h"

#define HOUR_SEC 3600

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	ck_assert_ptr_nonnull(extension);
	ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void set_name(X509_NAME *name, const char *text)
{
	ck_assert_int_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
						    (const unsigned char *)text, -1, -1, 0),
			 1);
}

struct tls_identity *tls_identity_new(const char *names, const struct tls_identity *issuer)
{
	struct tls_identity *identity = calloc(1, sizeof(*identity));
	X509 *certificate;
	static long serial;

	ck_assert_ptr_nonnull(identity);
	identity->key = EVP_EC_gen("P-256");
	ck_assert_ptr_nonnull(identity->key);
	certificate = identity->certificate = X509_new();
	ck_assert_ptr_nonnull(certificate);
	ck_assert_int_eq(X509_set_version(certificate, X509_VERSION_3), 1);
	ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial), 1);
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(certificate), -HOUR_SEC));
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(certificate), HOUR_SEC));
	ck_assert_int_eq(X509_set_pubkey(certificate, identity->key), 1);
	set_name(X509_get_subject_name(certificate), names ? "server" : "authority");
	if (!issuer)
		issuer = identity;
	ck_assert_int_eq(
		X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)), 1);
	add_extension(certificate, issuer->certificate, NID_basic_constraints,
		      names ? "critical,CA:FALSE" : "critical,CA:TRUE");
	add_extension(certificate, issuer->certificate, NID_key_usage,
		      names ? "critical,digitalSignature" : "critical,keyCertSign");
	if (names)
		add_extension(certificate, issuer->certificate, NID_subject_alt_name, names);
	ck_assert_int_gt(X509_sign(certificate, issuer->key, EVP_sha256()), 0);
	return identity;
}

struct tls_identity *tls_identity_free(struct tls_identity *identity)
{
	if (!identity)
		return NULL;
	X509_free(identity->certificate);
	EVP_PKEY_free(identity->key);
	free(identity);
	return NULL;
}

void tls_identity_trust(const struct tls_identity *identity)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;

	ck_assert_ptr_nonnull(bio);
	if (identity)
		ck_assert_int_eq(PEM_write_bio_X509(bio, identity->certificate), 1);
	ck_assert_int_eq(BIO_write(bio, "", 1), 1);
	ck_assert_int_gt(BIO_get_mem_data(bio, &text), 0);
	ck_assert_int_eq(setenv("SSL_CERT_FILE", suite_write_file(text), 1), 0);
	/* A folder with no certificates in it. */
	ck_assert_int_eq(setenv("SSL_CERT_DIR", "/proc/self/fdinfo", 1), 0);
	BIO_free(bio);
}
