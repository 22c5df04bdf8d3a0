/* SPDX-License-Identifier: MIT */
/*
 * asockd's command line. Exit status: 0 done, 1 usage or configuration, 2 the sockets cannot be had, or the loop failed.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/base/log.h"
#include "daemon/daemon.h"

#define EXIT_USAGE  1
#define EXIT_SYSTEM 2

#define OVERRIDES_MAX  256
#define DEFAULT_CONFIG SYSCONFDIR "/asockd/asockd.conf"

static const char usage[] =
	"Usage: asockd [--config FILE] [--socket PATH] [--control PATH] [--log LEVEL]\n"
	"              [-o SECTION.KEY=VALUE]... [--check] [--version]\n"
	"\n"
	"Turns names and services into connected sockets for the programs of this host.\n"
	"\n"
	"  -c, --config FILE    read FILE, not " DEFAULT_CONFIG "\n"
	"      --socket PATH    the public socket\n"
	"      --control PATH   the control socket (default: control.sock beside it)\n"
	"      --log LEVEL      err, warning, notice, info or debug\n"
	"  -o SECTION.KEY=VALUE as if it stood in the configuration, after everything else\n"
	"      --check          read the configuration, say what is wrong, and end\n"
	"      --version        print the version and end\n"
	"  -h, --help           print this and end\n";

enum option_code {
	OPTION_SOCKET = 256,
	OPTION_CONTROL,
	OPTION_LOG,
	OPTION_CHECK,
	OPTION_VERSION
};

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "control", required_argument, NULL, OPTION_CONTROL },
	{ "log", required_argument, NULL, OPTION_LOG },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int check_config(const struct config_source *source)
{
	CLEANUP(config_freep) struct config *config = NULL;
	struct ini_error error;
	int r = config_load(&config, source, &error);

	if (r == 0)
		return EXIT_SUCCESS;
	(void)fprintf(stderr, "asockd: %s\n", error.text[0] ? error.text : strerror(-r));
	return EXIT_USAGE;
}

static int run(const struct daemon_params *params)
{
	CLEANUP(daemon_freep) struct daemon *daemon = NULL;
	struct rlimit files;
	bool is_config;
	int r;

	(void)signal(SIGPIPE, SIG_IGN); /* standard error may be a pipe that ends */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	r = daemon_new(&daemon, params, &is_config);
	if (r < 0)
		return is_config ? EXIT_USAGE : EXIT_SYSTEM;
	return daemon_run(daemon) < 0 ? EXIT_SYSTEM : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const char *overrides[OVERRIDES_MAX];
	struct daemon_params params = { .config.overrides = overrides };
	bool check = false;
	int code;

	while ((code = getopt_long(argc, argv, "c:o:h", options, NULL)) >= 0) {
		switch (code) {
		case 'c':
			params.config.file = optarg;
			break;
		case 'o':
			if (params.config.n_overrides == OVERRIDES_MAX) {
				(void)fprintf(stderr, "asockd: more than %d times -o\n",
					      OVERRIDES_MAX);
				return EXIT_USAGE;
			}
			overrides[params.config.n_overrides++] = optarg;
			break;
		case OPTION_SOCKET:
			params.socket = optarg;
			break;
		case OPTION_CONTROL:
			params.control_socket = optarg;
			break;
		case OPTION_LOG:
			if (log_level_parse(optarg, &params.log_level) < 0) {
				(void)fprintf(
					stderr,
					"asockd: --log takes err, warning, notice, info or debug, not \"%s\"\n",
					optarg);
				return EXIT_USAGE;
			}
			params.has_log_level = true;
			break;
		case OPTION_CHECK:
			check = true;
			break;
		case OPTION_VERSION:
			(void)printf("asockd %s\n", PACKAGE_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			(void)fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			(void)fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "asockd: unexpected argument \"%s\"\n%s", argv[optind],
			      usage);
		return EXIT_USAGE;
	}
	if (!params.config.file) {
		params.config.file = DEFAULT_CONFIG;
		params.config.may_be_missing = true;
	}
	if (check)
		return check_config(&params.config);
	/* systemd reads "<N>" off standard error of a service; a terminal does not want it. */
	log_init(params.has_log_level ? params.log_level : LOG_LEVEL_INFO,
		 getenv("JOURNAL_STREAM") != NULL);
	return run(&params);
}
