/* SPDX-License-Identifier: MIT */
/*
 * asockctl: asks a running asockd from the command line. This file is the command line: options,
 * the table of verbs, help. Options may stand before or behind the verb.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client-lib/ctl.h"
#include "protocol/text.h"

#define TIMEOUT_MAX_SEC 1000000000 /* a number to stay in range; the daemon caps at an hour */

/* Options that not every verb has. */
enum verb_option {
	TAKES_FAMILY = 1, /* -4, -6 */
	TAKES_PROBE = 2,
	TAKES_SHORT = 4,
	TAKES_KINDS = 8 /* --all, --negative, --stale, --failures, --history */
};

struct verb {
	const char *name;
	const char *args;
	const char *help;
	size_t min_args;
	size_t max_args;
	unsigned int takes; /* enum verb_option */
	ctl_verb_fn *run;
};

static ctl_verb_fn help;

static const struct verb verbs[] = {
	{ "connect", "[--probe] [-4|-6] HOST PORT | HOST:PORT",
	  "join standard input and output to a connection;\n"
	  "      with --probe connect, show the attempts in time, and close",
	  1, 2, TAKES_FAMILY | TAKES_PROBE, ctl_connect },
	{ "resolve", "[--short] [-4|-6] HOST [SERVICE]",
	  "look up addresses, in the order they would be tried", 1, 2, TAKES_FAMILY | TAKES_SHORT,
	  ctl_resolve },
	{ "query", "[--short] NAME[/TYPE]... [/TYPE]...",
	  "look up records, A and AAAA unless a type is given; the names of an address", 1,
	  SIZE_MAX, TAKES_SHORT, ctl_query },
	{ "service", "[--short] [-4|-6] NAME SERVICE | _service._tcp.NAME",
	  "look up who offers a service (SRV), in the order to use", 1, 2,
	  TAKES_FAMILY | TAKES_SHORT, ctl_service },
	{ "explain", "[-4|-6] HOST PORT | HOST:PORT",
	  "show every decision that connect would take, without connecting (control socket)", 1, 2,
	  TAKES_FAMILY, ctl_explain },
	{ "servers", "", "show what is known about the name servers (control socket)", 0, 0, 0,
	  ctl_servers },
	{ "cache", "[GLOB]", "show the answers that are kept (control socket)", 0, 1, 0,
	  ctl_cache },
	{ "flush",
	  "[--negative] [--stale] [--failures] NAME[/TYPE] | GLOB[/TYPE] | --all | --history",
	  "forget answers, of these kinds, or what was learnt of addresses (control socket)", 0, 1,
	  TAKES_KINDS, ctl_flush_cache },
	{ "history", "[GLOB]", "show what was learnt of addresses (control socket)", 0, 1, 0,
	  ctl_history },
	{ "ping", "", "see whether the daemon answers, and how fast", 0, 0, 0, ctl_ping },
	{ "whoami", "", "show who the daemon takes you for", 0, 0, 0, ctl_whoami },
	{ "call", "METHOD [JSON]", "call any method of the protocol", 1, 2, 0, ctl_call },
	{ "help", "", "show this text", 0, 0, 0, help },
};

static int help(const struct ctl *ctl)
{
	(void)ctl;
	(void)puts("Usage: asockctl [OPTION]… VERB [ARGUMENT]…\n\nVerbs:");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		(void)printf("  %s%s%s\n      %s\n", verbs[i].name, verbs[i].args[0] ? " " : "",
			     verbs[i].args, verbs[i].help);
	(void)puts(
		"\nOptions, before or behind the verb:\n"
		"  --json             print the reply's parameters or the error as one line\n"
		"  --socket PATH      the daemon's socket\n"
		"  --control PATH     the daemon's control socket; control.sock beside the other\n"
		"  --short            print the data and nothing else\n"
		"  --timeout SECONDS  for everything; fractions are allowed\n"
		"  --version, --help\n\n"
		"Exit status: 0 done, 1 usage, 2 no such name, 3 no data or service, 4 timed out,\n"
		"5 failed, 7 daemon not reached, 8 denied.");
	return ctl_flush();
}

/* Seconds with at most six decimals, more than none. */
static int parse_timeout(const char *text, uint64_t *ret_us)
{
	char digits[7] = "000000";
	char whole_text[16];
	const char *point = strchr(text, '.');
	size_t len = point ? (size_t)(point - text) : strlen(text);
	uint64_t whole = 0;
	uint64_t fraction = 0;

	if (len >= sizeof(whole_text) ||
	    (point && (!point[1] || strlen(point + 1) >= sizeof(digits))))
		return -EINVAL;
	memcpy(whole_text, text, len);
	whole_text[len] = '\0';
	if (point)
		memcpy(digits, point + 1, strlen(point + 1));
	if ((len > 0 || !point) && text_parse_uint(whole_text, TIMEOUT_MAX_SEC, &whole) < 0)
		return -EINVAL;
	if (text_parse_uint(digits, 999999, &fraction) < 0 || whole + fraction == 0)
		return -EINVAL;
	*ret_us = whole * 1000000 + fraction;
	return 0;
}

enum option_value {
	OPTION_ARGUMENT = 1, /* what getopt answers for what is no option */
	OPTION_JSON = 256,
	OPTION_SOCKET,
	OPTION_CONTROL,
	OPTION_TIMEOUT,
	OPTION_PROBE,
	OPTION_SHORT,
	OPTION_ALL,
	OPTION_NEGATIVE,
	OPTION_STALE,
	OPTION_FAILURES,
	OPTION_HISTORY,
	OPTION_VERSION
};

static const struct option options[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "control", required_argument, NULL, OPTION_CONTROL },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "probe", no_argument, NULL, OPTION_PROBE },
	{ "short", no_argument, NULL, OPTION_SHORT },
	{ "all", no_argument, NULL, OPTION_ALL },
	{ "negative", no_argument, NULL, OPTION_NEGATIVE },
	{ "stale", no_argument, NULL, OPTION_STALE },
	{ "failures", no_argument, NULL, OPTION_FAILURES },
	{ "history", no_argument, NULL, OPTION_HISTORY },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int take_path(const char *option, const char **ret)
{
	if (!optarg[0]) {
		ctl_complain("%s takes a path", option);
		return CTL_EXIT_USAGE + 1;
	}
	*ret = optarg;
	return 0;
}

/* What an option switches on; NULL: it is none of those. */
static bool *find_flag(struct ctl *ctl, int option)
{
	switch (option) {
	case OPTION_JSON:
		return &ctl->json;
	case OPTION_PROBE:
		return &ctl->probe;
	case OPTION_SHORT:
		return &ctl->brief;
	case OPTION_ALL:
		return &ctl->all;
	case OPTION_NEGATIVE:
		return &ctl->negative;
	case OPTION_STALE:
		return &ctl->stale;
	case OPTION_FAILURES:
		return &ctl->failures;
	case OPTION_HISTORY:
		return &ctl->history;
	default:
		return NULL;
	}
}

/* One option into ctl. 0: go on; else the exit code plus one. */
static int take_option(struct ctl *ctl, int option)
{
	bool *flag = find_flag(ctl, option);

	if (flag) {
		*flag = true;
		return 0;
	}
	switch (option) {
	case OPTION_ARGUMENT:
		ctl->args[ctl->n_args++] = optarg;
		return 0;
	case OPTION_SOCKET:
		return take_path("--socket", &ctl->socket_path);
	case OPTION_CONTROL:
		return take_path("--control", &ctl->control_path);
	case OPTION_TIMEOUT:
		if (parse_timeout(optarg, &ctl->timeout_us) == 0)
			return 0;
		ctl_complain("--timeout takes seconds, 0.5 or 30, not \"%s\"", optarg);
		return CTL_EXIT_USAGE + 1;
	case '4':
		ctl->family = ASOCK_FAMILY_INET;
		return 0;
	case '6':
		ctl->family = ASOCK_FAMILY_INET6;
		return 0;
	case OPTION_VERSION:
		(void)puts("asockctl " PACKAGE_VERSION);
		return ctl_flush() + 1;
	case 'h':
		return help(ctl) + 1;
	default:
		(void)fputs("Try \"asockctl --help\".\n", stderr);
		return CTL_EXIT_USAGE + 1;
	}
}

/* The option that was given and is not for this verb; NULL: none. */
static const char *find_stray_option(const struct ctl *ctl, const struct verb *verb)
{
	const struct {
		bool is_given;
		enum verb_option option;
		const char *text;
	} options_given[] = {
		{ ctl->family != ASOCK_FAMILY_ANY, TAKES_FAMILY, "-4 and -6 are" },
		{ ctl->probe, TAKES_PROBE, "--probe is" },
		{ ctl->brief, TAKES_SHORT, "--short is" },
		{ ctl->all, TAKES_KINDS, "--all is" },
		{ ctl->negative, TAKES_KINDS, "--negative is" },
		{ ctl->stale, TAKES_KINDS, "--stale is" },
		{ ctl->failures, TAKES_KINDS, "--failures is" },
		{ ctl->history, TAKES_KINDS, "--history is" },
	};

	for (size_t i = 0; i < ARRAY_LEN(options_given); i++)
		if (options_given[i].is_given && !(verb->takes & options_given[i].option))
			return options_given[i].text;
	return NULL;
}

/* JSON can say nothing else. */
static bool are_utf8(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!text_is_utf8(texts[i], strlen(texts[i])))
			return false;
	return true;
}

static int run_verb(struct ctl *ctl)
{
	const struct verb *verb = NULL;
	const char *name = ctl->args[0];
	const char *stray;

	if (ctl->n_args == 0) {
		ctl_complain("a verb is missing; try \"asockctl --help\"");
		return CTL_EXIT_USAGE;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			verb = &verbs[i];
	ctl->args++;
	ctl->n_args--;
	stray = verb ? find_stray_option(ctl, verb) : NULL;
	if (!verb)
		ctl_complain("there is no verb \"%s\"; try \"asockctl --help\"", name);
	else if (stray)
		ctl_complain("%s not for %s", stray, name);
	else if (ctl->n_args < verb->min_args || ctl->n_args > verb->max_args)
		ctl_complain("usage: asockctl %s%s%s", name, verb->args[0] ? " " : "", verb->args);
	else if (!are_utf8(ctl->args, ctl->n_args))
		ctl_complain("%s: what was given is no UTF-8", name);
	else
		return verb->run(ctl);
	return CTL_EXIT_USAGE;
}

/*
 * So that no socket becomes standard input, output or error by accident. A standard output that
 * was closed still cannot be written: an answer is not lost in silence.
 */
static void open_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
}

int main(int argc, char **argv)
{
	struct ctl ctl = { 0 };
	CLEANUP(freep) char **args = calloc((size_t)argc + 1, sizeof(*args));

	open_standard_descriptors();
	(void)signal(SIGPIPE, SIG_IGN);
	ctl.args = args;
	if (!args) {
		ctl_complain("no memory");
		return CTL_EXIT_FAILED;
	}
	/*
	 * "-": every argument in its place, also where POSIXLY_CORRECT would end the options at the
	 * verb.
	 */
	for (;;) {
		int option = getopt_long(argc, argv, "-46h", options, NULL);
		int stop;

		if (option < 0)
			break;
		stop = take_option(&ctl, option);
		if (stop)
			return stop - 1;
	}
	while (optind < argc)
		ctl.args[ctl.n_args++] = argv[optind++];
	return run_verb(&ctl);
}
