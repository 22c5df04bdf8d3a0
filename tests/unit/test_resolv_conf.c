/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/resolv-conf.h"

#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "tests/support/suite.h"

/* "server server | domain domain | ndots attempts seconds [rotate] [tcp] [ad] [no-aaaa] | bad" */
static const char *describe(const struct resolv_conf *config, size_t bad_lines)
{
	static char text[16 * 1024];
	char server[ENDPOINT_TEXT_SIZE];
	size_t len = 0;

	for (size_t i = 0; i < config->n_servers; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s%s ",
			endpoint_format(&config->servers[i].endpoint, server, sizeof(server)),
			config->servers[i].zone[0] ? "%" : "", config->servers[i].zone);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "| ");
	for (size_t i = 0; i < config->n_search; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", config->search[i]);
	(void)snprintf(text + len, sizeof(text) - len, "| %u %u %u%s%s%s%s | %zu", config->ndots,
		       config->attempts, (unsigned int)(config->timeout_us / USEC_PER_SEC),
		       config->rotate ? " rotate" : "", config->use_tcp ? " tcp" : "",
		       config->trust_ad ? " ad" : "", config->no_aaaa ? " no-aaaa" : "", bad_lines);
	return text;
}

static const char *parse(const char *text, size_t len)
{
	static struct resolv_conf config;
	struct file_bad_lines bad = { 4711, 4711 };

	memset(&config, 0xff, sizeof(config));
	resolv_conf_parse(text, len, &config, &bad);
	ck_assert_msg((bad.n == 0) == (bad.first == 0), "\"%s\"", text);
	return describe(&config, bad.n);
}

static const struct {
	const char *text;
	const char *expected;
} texts[] = {
	{ "", "| | 1 2 5 | 0" },
	{ "\n\n \t\n\r\n", "| | 1 2 5 | 0" },
	{ "# nameserver 1.1.1.1\n; nameserver 1.1.1.2\n#nameserver 1.1.1.3\n", "| | 1 2 5 | 0" },
	{ "nameserver 10.0.0.1", "10.0.0.1:53 | | 1 2 5 | 0" },
	{ "nameserver 10.0.0.1\nnameserver\t 10.0.0.2 \r\n",
	  "10.0.0.1:53 10.0.0.2:53 | | 1 2 5 | 0" },
	{ "nameserver 10.0.0.1 # comment\nnameserver 10.0.0.2;comment\nnameserver 10.0.0.3 junk\n",
	  "10.0.0.1:53 10.0.0.2:53 10.0.0.3:53 | | 1 2 5 | 0" },
	{ "nameserver 127.1\nnameserver 0x7f000002\n", "127.0.0.1:53 127.0.0.2:53 | | 1 2 5 | 0" },
	{ "nameserver ::1\nnameserver 2001:db8::1\n", "[::1]:53 [2001:db8::1]:53 | | 1 2 5 | 0" },
	/* Whether the interface is there is looked at later. */
	{ "nameserver fe80::1%lo\nnameserver fe80::1%7\nnameserver fe80::1%later\n",
	  "[fe80::1]:53%lo [fe80::1%7]:53 [fe80::1]:53%later | | 1 2 5 | 0" },
	{ "nameserver fe80::1%lo\nnameserver fe80::1%lo\nnameserver fe80::1\n",
	  "[fe80::1]:53%lo [fe80::1]:53 | | 1 2 5 | 0" },
	{ "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.1\n",
	  "10.0.0.1:53 10.0.0.2:53 | | 1 2 5 | 0" },
	{ "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\nnameserver 10.0.0.5\n"
	  "nameserver 10.0.0.6\nnameserver 10.0.0.7\nnameserver 10.0.0.8\nnameserver 10.0.0.9\n",
	  "10.0.0.1:53 10.0.0.2:53 10.0.0.3:53 10.0.0.4:53 10.0.0.5:53 10.0.0.6:53 10.0.0.7:53 10.0.0.8:53 | | 1 2 5 "
	  "| 0" },
	{ "nameserver 10.0.0.256\nnameserver host\nnameserver\nnameserver \nnameserver fe80::1%longer-than-a-name\n"
	  "nameserver 10.0.0.1:53\nnameserver [::1]\nnameserver unix/\nnameserver fe80::1%\nnameserver 2001:db8::1%lo\n"
	  "nameserver 10.0.0.1%lo\n",
	  "| | 1 2 5 | 11" },
	{ " nameserver 10.0.0.1\nnameserver10.0.0.1\nNAMESERVER 10.0.0.1\nnameservers 10.0.0.1\n",
	  "| | 1 2 5 | 4" },
	{ "frobnicate\nsortlist 10.0.0.0\nlookup file bind\nfamily inet4\n", "| | 1 2 5 | 1" },

	{ "search a.test B.Test. c\n", "| a.test b.test c | 1 2 5 | 0" },
	{ "search a.test\nsearch b.test\n", "| b.test | 1 2 5 | 0" },
	{ "search a.test\ndomain b.test\n", "| b.test | 1 2 5 | 0" },
	{ "domain b.test c.test\n", "| b.test | 1 2 5 | 0" },
	{ "domain b.test\nsearch a.test\tc.test\n", "| a.test c.test | 1 2 5 | 0" },
	{ "search a.test\nsearch\ndomain \n", "| a.test | 1 2 5 | 2" },
	{ "search .\n", "| | 1 2 5 | 0" },
	{ "search a.test\nsearch .\n", "| | 1 2 5 | 0" },
	{ "search a.test . a.test b.test A.test\n", "| a.test b.test | 1 2 5 | 0" },
	{ "search a..b a/b aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa good.test ..\n",
	  "| good.test | 1 2 5 | 1" },
	{ "search b\xc3\xbc"
	  "cher.test\n",
	  "| | 1 2 5 | 1" },
	{ "search a.test # b.test\nsearch ;\n", "| a.test | 1 2 5 | 1" },

	{ "options ndots:3 timeout:7 attempts:4 rotate use-vc\n", "| | 3 4 7 rotate tcp | 0" },
	{ "options ndots:3\noptions timeout:7\n", "| | 3 2 7 | 0" },
	{ "options ndots:0\n", "| | 0 2 5 | 0" },
	{ "options ndots:16 timeout:31 attempts:6\n", "| | 15 5 30 | 0" },
	{ "options ndots:99999999999999999999 timeout:4294967297 attempts:256\n",
	  "| | 15 5 30 | 0" },
	{ "options timeout:0 attempts:0\n", "| | 1 1 1 | 0" },
	{ "options ndots: timeout:-1 attempts:2x rotate\n", "| | 1 2 5 rotate | 1" },
	{ "options trust-ad no-aaaa\n", "| | 1 2 5 ad no-aaaa | 0" },
	{ "options edns0 single-request inet6 rotated use-vcx ndots Rotate trust-adx no-aaa\n",
	  "| | 1 2 5 | 0" },
	{ "options ndots:2 # rotate\n", "| | 2 2 5 | 0" },
	{ "options\n", "| | 1 2 5 | 0" },
};

START_TEST(resolv_conf_is_read_as_the_manual_says)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_msg(
			strcmp(parse(texts[i].text, strlen(texts[i].text)), texts[i].expected) == 0,
			"\"%s\": %s", texts[i].text, parse(texts[i].text, strlen(texts[i].text)));
}
END_TEST

START_TEST(a_line_with_a_nul_is_skipped)
{
	static const char text[] = "nameserver 10.0.0.1\0.2\nnameserver 10.0.0.3\n";

	ck_assert_str_eq(parse(text, sizeof(text) - 1), "10.0.0.3:53 | | 1 2 5 | 1");
}
END_TEST

START_TEST(only_the_given_bytes_are_read)
{
	static const char text[] = "nameserver 10.0.0.123\n";

	ck_assert_str_eq(parse(text, strlen("nameserver 10.0.0.1")), "10.0.0.1:53 | | 1 2 5 | 0");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_skipped_not_cut)
{
	CLEANUP(freep) char *text = malloc(20000);
	size_t len = 8192;

	memset(text, ' ', 20000);
	memcpy(text, "nameserver", 10);
	memcpy(text + len - 10, " 10.0.0.12\n", 11);
	ck_assert_str_eq(parse(text, len + 1), "10.0.0.12:53 | | 1 2 5 | 0");
	ck_assert_str_eq(parse(text, len), "10.0.0.12:53 | | 1 2 5 | 0");
	len++;
	memcpy(text + len - 10, " 10.0.0.12\nnameserver 10.0.0.3\n", 31);
	ck_assert_str_eq(parse(text, len + 21), "10.0.0.3:53 | | 1 2 5 | 1");
}
END_TEST

START_TEST(the_longest_search_list_fits_and_no_more)
{
	CLEANUP(freep) char *text = malloc(20000);
	struct resolv_conf config;
	size_t len = 6;
	struct file_bad_lines bad;

	memcpy(text, "search", 6);
	for (int i = 0; i < LIMIT_SEARCH_DOMAINS; i++)
		len += (size_t)snprintf(text + len, 300, " %061d.%061d.%061d.%066d", i, i, i, i);
	resolv_conf_parse(text, len, &config, &bad);
	ck_assert_uint_eq(bad.n, 1); /* the last label is too long */
	ck_assert_uint_eq(config.n_search, 0);

	len = 6;
	for (int i = 0; i < LIMIT_SEARCH_DOMAINS; i++)
		len += (size_t)snprintf(text + len, 300, " %062d.%062d.%063d.%063d", i, i, i, i);
	resolv_conf_parse(text, len, &config, &bad);
	ck_assert_uint_eq(bad.n, 0);
	ck_assert_uint_eq(config.n_search, LIMIT_SEARCH_DOMAINS);
	ck_assert_uint_eq(strlen(config.search[LIMIT_SEARCH_DOMAINS - 1]), LIMIT_NAME_BYTES);

	len = 6;
	for (int i = 0; i <= LIMIT_SEARCH_DOMAINS; i++)
		len += (size_t)snprintf(text + len, 300, " d%d", i);
	resolv_conf_parse(text, len, &config, &bad);
	ck_assert_uint_eq(config.n_search, LIMIT_SEARCH_DOMAINS);
	ck_assert_str_eq(config.search[LIMIT_SEARCH_DOMAINS - 1], "d31");
}
END_TEST

SUITE_MAIN("resolv-conf", resolv_conf_is_read_as_the_manual_says, a_line_with_a_nul_is_skipped,
	   only_the_given_bytes_are_read, a_line_that_is_too_long_is_skipped_not_cut,
	   the_longest_search_list_fits_and_no_more)
