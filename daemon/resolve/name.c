/* SPDX-License-Identifier: MIT */
/*
 * From what a client wrote to what may be looked up. The order of the steps is the point:
 *
 *   1. an address, as it stands or in brackets, is a literal;
 *   2. text beyond ASCII goes through IDNA (UTS #46, non-transitional), and what comes out is
 *      looked at as if the client had written it: fullwidth digits make a literal, and "a/c" from
 *      U+2100 is refused;
 *   3. one final dot is dropped, lengths and characters are checked, a name that ends in a number
 *      is refused, because it is an address with a mistake in it and some server would make
 *      something of it;
 *   4. the last label says whether DNS may be asked at all.
 *
 * ASCII text never sees libidn2, which refuses names that exist ("r3---sn-x", "-x"); and never with
 * IDN2_USE_STD3_ASCII_RULES, which deletes underscores and so answers with another name. What
 * non-transitional processing refuses (a snowman, emoji) is not tried again with the transitional
 * one, as some programs do: that has other results for names that exist ("faß.de"). Whether the
 * client may ask for the name is the policy's business.
 */
#include "daemon/resolve/name.h"

#include <idn2.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/domain.h"
#include "protocol/error.h"
#include "protocol/text.h"

/* The longest text that IDNA is asked about; a name of full length has no more in UTF-8. */
#define HOST_BYTES_MAX (4 * LIMIT_NAME_BYTES)

bool name_is_valid(const char *text)
{
	return domain_check(text) == NULL;
}

/* Whether the last label is a number, decimal or 0x and hexadecimal digits, as in "10.0.0.256". */
static bool ends_in_number(const char *text)
{
	const char *dot = strrchr(text, '.');
	const char *label = dot ? dot + 1 : text;
	const char *digits = "0123456789";

	if (label[0] == '0' && text_lower(label[1]) == 'x') {
		digits = "0123456789abcdefABCDEF";
		label += 2;
	}
	return label[strspn(label, digits)] == '\0';
}

/* gethostname(2), and what stands before its first dot. */
static bool is_own(const char *text)
{
	char own[HOST_NAME_MAX + 1];
	size_t len;

	if (gethostname(own, sizeof(own)) < 0)
		return false;
	own[sizeof(own) - 1] = '\0';
	len = strlen(own);
	if (len > 0 && own[len - 1] == '.')
		own[len - 1] = '\0';
	if (own[0] && text_equal_fold(text, own))
		return true;
	own[strcspn(own, ".")] = '\0';
	return own[0] && text_equal_fold(text, own);
}

/*
 * Names below .test and .example go to DNS like any other, and so do reverse zones of private networks: RFC 6761 wants
 * them recognised by servers, not by those who ask servers.
 */
enum name_kind name_classify(const char *text)
{
	static const char *const never[] = { "invalid", "onion", "alt" };

	if (domain_covers("localhost", text))
		return NAME_LOCALHOST;
	if (text_equal_fold(text, "_gateway"))
		return NAME_GATEWAY;
	if (is_own(text))
		return NAME_OWN;
	if (domain_covers("local", text))
		return NAME_LOCAL;
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (domain_covers(never[i], text))
			return NAME_NEVER;
	return NAME_HOST;
}

static void set_literal(const struct address *address, struct name *ret)
{
	*ret = (struct name){ .kind = NAME_LITERAL, .absolute = true, .literal = *address };
	(void)address_format(address, ret->text, sizeof(ret->text));
}

/* 1: it is none; 0: *ret holds it. */
static int try_literal(const char *host, struct name *ret, const char **ret_reason)
{
	struct address address;
	int r = address_parse_scoped(host, &address);

	if (r == 0)
		set_literal(&address, ret);
	else if (r == -ENODEV)
		*ret_reason = "the zone of the address is no interface here";
	else if (r == -EINVAL)
		return 1;
	return r;
}

static int invalid(const char *reason, const char **ret_reason)
{
	*ret_reason = reason;
	return -ASOCK_E_INVALID_NAME;
}

/* "[::1]": what stands in brackets can only be an address. */
static int prepare_brackets(const char *host, struct name *ret, const char **ret_reason)
{
	char text[ADDRESS_TEXT_SIZE];
	size_t len = strlen(host);
	int r = 1;

	if (len - 1 < sizeof(text) && host[len - 1] == ']') {
		memcpy(text, host + 1, len - 1);
		text[len - 2] = '\0';
		r = try_literal(text, ret, ret_reason);
	}
	return r == 1 ? invalid("the brackets hold no address", ret_reason) : r;
}

/* text is ASCII, and no literal if the client wrote it so. */
static int prepare_ascii(const char *text, struct name *ret, const char **ret_reason)
{
	struct name name = { .kind = NAME_HOST };
	const char *reason;
	size_t len = strlen(text);

	if (len > 0 && text[len - 1] == '.') {
		name.absolute = true;
		len--;
	}
	if (len > LIMIT_NAME_BYTES)
		return invalid(DOMAIN_LONG, ret_reason);
	for (size_t i = 0; i < len; i++)
		name.text[i] = text_lower(text[i]);
	reason = domain_check(name.text);
	if (!reason && ends_in_number(name.text))
		reason = "the name ends in a number but is no address";
	if (reason)
		return invalid(reason, ret_reason);
	name.kind = name_classify(name.text);
	*ret = name;
	return 0;
}

static void idn2_freep(char **text)
{
	if (*text)
		idn2_free(*text);
}

/* Own texts, because libidn2's are translated. */
static const char *idna_reason(int status)
{
	switch (status) {
	case IDN2_TOO_BIG_DOMAIN:
		return DOMAIN_LONG;
	case IDN2_TOO_BIG_LABEL:
	case IDN2_PUNYCODE_BIG_OUTPUT:
	case IDN2_PUNYCODE_OVERFLOW:
		return DOMAIN_LABEL_LONG;
	case IDN2_DISALLOWED:
	case IDN2_UNASSIGNED:
		return "the name holds a character that IDNA does not allow";
	case IDN2_CONTEXTJ:
	case IDN2_CONTEXTO:
		return "the name holds a character that IDNA does not allow in this place";
	case IDN2_BIDI:
		return "the name mixes directions of writing in a way that IDNA does not allow";
	default:
		return "the name is not valid under IDNA";
	}
}

static int prepare_unicode(const char *host, struct name *ret, const char **ret_reason)
{
	CLEANUP(idn2_freep) char *text = NULL;
	int status;
	int r;

	if (!text_is_utf8(host, strlen(host)))
		return invalid("the name is not UTF-8", ret_reason);
	status = idn2_lookup_u8((const uint8_t *)host, (uint8_t **)&text,
				IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (status == IDN2_MALLOC)
		return -ENOMEM;
	if (status != IDN2_OK || !text)
		return invalid(idna_reason(status), ret_reason);
	r = try_literal(text, ret, ret_reason);
	return r == 1 ? prepare_ascii(text, ret, ret_reason) : r;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text > 0x7f)
			return false;
	return true;
}

int name_prepare(const char *host, struct name *ret, const char **ret_reason)
{
	int r;

	if (!*host)
		return invalid(DOMAIN_EMPTY, ret_reason);
	if (strlen(host) > HOST_BYTES_MAX)
		return invalid(DOMAIN_LONG, ret_reason);
	if (host[0] == '[')
		return prepare_brackets(host, ret, ret_reason);
	r = try_literal(host, ret, ret_reason);
	if (r != 1)
		return r;
	return is_ascii(host) ? prepare_ascii(host, ret, ret_reason)
			      : prepare_unicode(host, ret, ret_reason);
}
