/* SPDX-License-Identifier: MIT */
#include "daemon/daemon.h"

#include <event2/event.h>
#include <grp.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "daemon/base/clock.h"
#include "daemon/connect/brake.h"
#include "daemon/connect/gai-conf.h"
#include "daemon/connect/history.h"
#include "daemon/connect/hostaddrs.h"
#include "daemon/connect/network.h"
#include "daemon/connect/prober.h"
#include "daemon/connect/tcp-metrics.h"
#include "daemon/front/closer.h"
#include "daemon/front/env.h"
#include "daemon/front/listener.h"
#include "daemon/policy/quota.h"
#include "daemon/resolve/nat64-discovery.h"
#include "daemon/resolve/resolve.h"
#include "protocol/text.h"

#define LISTENERS_MAX	  64 /* sockets from systemd and our own */
#define DRAIN_LOOK_USEC	  20000
#define GROUP_PUBLIC	  "asock"
#define GROUP_CONTROL	  "asock-admin"
#define SOCKET_NAME	  "asockd.sock"
#define CONTROL_NAME	  "control.sock"
#define DEFAULT_DIRECTORY RUNSTATEDIR "/asockd"

/* A socket file that was made here and goes with the daemon. */
struct own_path {
	char *path; /* owned */
	dev_t dev;
	ino_t ino;
};

struct daemon {
	struct daemon_params params;
	struct config *config; /* owned */
	struct front_env env;  /* all that request points to but config, and closer are owned */
	char **socket_names;   /* owned, NULL-terminated: of the sockets from systemd */
	struct listener *listeners[LISTENERS_MAX];
	size_t n_listeners;
	struct own_path own_paths[2];
	size_t n_own_paths;
	struct event *terminate, *interrupt, *hangup, *drain; /* owned */
	uint64_t drain_until_us;
};

static void on_terminate(evutil_socket_t signal, short what, void *arg);
static void on_hangup(evutil_socket_t signal, short what, void *arg);
static void on_drain(evutil_socket_t fd, short what, void *arg);

static struct resolver_params resolver_params_of(const struct config *config)
{
	return (struct resolver_params){
		.hosts_file = config->hosts_file,
		.services_file = config->services_file,
		.resolv_conf = config->resolv_conf,
		.groups = config->groups,
		.n_groups = config->n_groups,
		.random_case = config->random_case,
		.dns_first = config->dns_first,
		.cache = {
			.max_bytes = config->cache_bytes,
			.max_ttl_s = config->cache_max_s,
			.max_negative_ttl_s = config->cache_max_negative_s,
			.max_stale_s = config->stale_max_s,
		},
	};
}

static void lower(const char *key, size_t *limit, size_t max)
{
	if (max == 0)
		max = 1;
	if (*limit <= max)
		return;
	log_notice("a limit is lowered to what the number of descriptors allows key=%s value=%zu",
		   key, max);
	*limit = max;
}

/* More than RLIMIT_NOFILE can hold is no limit: half of it is for clients, a quarter for attempts,
 * a sixteenth for questions, which may have four sockets each. */
static void fit_limits(struct config *config)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
		return;
	lower("Connections", &config->connections, files.rlim_cur / 2);
	lower("ConnectionsPerUid", &config->connections_per_uid, files.rlim_cur / 4);
	lower("CallsInFlightPerUid", &config->calls_in_flight_per_uid, files.rlim_cur / 32);
	lower("AttemptsInFlight", &config->attempts_in_flight, files.rlim_cur / 4);
	lower("DescriptorsInFlight", &config->descriptors_in_flight, files.rlim_cur / 2);
	lower("QuestionsInFlight", &config->questions_in_flight, files.rlim_cur / 16);
}

/* The policy judges by all prefixes, whoever has told them. */
static void on_prefixes(const struct nat64_setting *setting, const struct nat64_prefix *told,
			size_t n_told, void *arg)
{
	struct daemon *daemon = arg;

	policy_set_prefixes(daemon->env.request.policy, setting->prefixes, setting->n, told,
			    n_told);
}

/* The resolver, when there is one, takes new files and servers. */
static int configure_resolver(struct daemon *daemon, const struct config *config)
{
	struct request_env *env = &daemon->env.request;
	struct resolver_params resolver = resolver_params_of(config);
	struct nat64_discovery_params nat64 = { .network = env->racing.network,
						.changed = on_prefixes,
						.arg = daemon };
	int r;

	if (env->nat64)
		return resolver_configure(env->resolver, &resolver);
	r = resolver_new(&env->resolver, &resolver, env->base);
	if (r < 0)
		return r;
	nat64.lookups = resolver_get_lookups(env->resolver);
	return nat64_discovery_new(&env->nat64, &nat64, env->base);
}

/* Loads the configuration and puts it in force as a whole, or leaves everything as it is. Logs what is wrong. */
static int load_config(struct daemon *daemon)
{
	const struct daemon_params *params = &daemon->params;
	CLEANUP(config_freep) struct config *config = NULL;
	struct ini_error error;
	int r = config_load(&config, &params->config, &error);

	if (r < 0) {
		log_err("%s", error.text[0] ? error.text : strerror(-r));
		return r;
	}
	fit_limits(config);
	r = configure_resolver(daemon, config);
	if (r == 0)
		r = gai_conf_configure(daemon->env.request.racing.sorting.gai_conf,
				       config->gai_conf);
	if (r < 0) {
		log_err("the configuration cannot be put in force error=%s", strerror(-r));
		return r;
	}
	policy_adopt_rules(daemon->env.request.policy, &config->rules);
	nat64_discovery_configure(daemon->env.request.nat64, &config->nat64);
	brake_configure(daemon->env.request.racing.brake, (uint32_t)config->spare_attempts_per_s);
	log_set_level(params->has_log_level ? params->log_level : config->log_level);
	config_free(daemon->config);
	daemon->config = TAKE_PTR(config);
	daemon->env.request.config = daemon->config;
	return 0;
}

static int make_base(struct event_base **ret)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config &&
	    event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) == 0 &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER) ==
		    0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	*ret = base;
	return base ? 0 : -ENOMEM;
}

static int add_listener(struct daemon *daemon, int socket, const struct listener_params *params)
{
	int r;

	if (daemon->n_listeners == LISTENERS_MAX) {
		(void)close_fd(socket);
		log_err("more than %d sockets to listen on", LISTENERS_MAX);
		return -E2BIG;
	}
	r = listener_new(&daemon->listeners[daemon->n_listeners], socket, params, &daemon->env);
	if (r < 0)
		log_err("cannot listen error=%s", strerror(-r));
	else
		daemon->n_listeners++;
	return r;
}

/* Remembers the socket file that was just made at path, so that it goes with the daemon. */
static int remember_own(struct daemon *daemon, const char *path)
{
	struct own_path *own = &daemon->own_paths[daemon->n_own_paths];
	struct stat status;

	if (stat(path, &status) < 0)
		return -errno;
	own->path = strdup(path);
	if (!own->path)
		return -ENOMEM;
	own->dev = status.st_dev;
	own->ino = status.st_ino;
	daemon->n_own_paths++;
	return 0;
}

/* The group of a socket made here: the package's where root runs the daemon and it exists, else the process's own. */
static gid_t find_group(const char *name)
{
	const struct group *group = geteuid() == 0 ? getgrnam(name) : NULL;

	return group ? group->gr_gid : (gid_t)-1;
}

static int bind_own(struct daemon *daemon, const char *path, const char *group_name,
		    bool is_control)
{
	const struct listener_params params = { .is_control = is_control };
	gid_t group = find_group(group_name);
	int socket, r;

	r = listener_bind(path, group == (gid_t)-1 ? 0600 : 0660, group, &socket);
	if (r < 0) {
		log_err("cannot listen: %s socket=%s",
			r == -EADDRINUSE ? "another daemon serves it"
			: r == -EEXIST	 ? "there is something that is no socket"
					 : strerror(-r),
			path);
		return r;
	}
	r = remember_own(daemon, path);
	if (r < 0) {
		log_err("cannot listen: %s socket=%s", strerror(-r), path);
		(void)close_fd(socket);
		return r;
	}
	r = add_listener(daemon, socket, &params);
	if (r < 0)
		return r;
	log_info("listening socket=%s kind=%s", path, is_control ? "control" : "public");
	return 0;
}

/* Where the sockets belong when nobody says: the system's directory for root, the user's own for anybody else. */
static char *default_directory(void)
{
	const char *runtime = geteuid() == 0 ? NULL : getenv("XDG_RUNTIME_DIR");
	char *directory;

	if (geteuid() == 0)
		return strdup(DEFAULT_DIRECTORY);
	if (!runtime || runtime[0] != '/')
		return NULL;
	return text_format(&directory, "%s/asockd", runtime) < 0 ? NULL : directory;
}

static int out_of_memory(void)
{
	log_err("cannot listen error=%s", strerror(ENOMEM));
	return -ENOMEM;
}

static int bind_sockets(struct daemon *daemon)
{
	const char *public = daemon->params.socket ? daemon->params.socket : daemon->config->socket;
	const char *control = daemon->params.control_socket ? daemon->params.control_socket
							    : daemon->config->control_socket;
	CLEANUP(freep) char *directory = NULL;
	CLEANUP(freep) char *default_public = NULL;
	CLEANUP(freep) char *default_control = NULL;
	const char *slash;
	int r;

	if (!public) {
		directory = default_directory();
		if (!directory) {
			log_err("there is no place for the socket: set XDG_RUNTIME_DIR or give --socket PATH");
			return -ENOENT;
		}
		if (mkdir(directory, geteuid() == 0 ? 0755 : 0700) < 0 && errno != EEXIST) {
			r = -errno;
			log_err("cannot make the directory of the socket: %s directory=%s",
				strerror(-r), directory);
			return r;
		}
		if (text_format(&default_public, "%s/" SOCKET_NAME, directory) < 0)
			return out_of_memory();
		public = default_public;
	}
	if (!control) {
		slash = strrchr(public, '/');
		if (text_format(&default_control, "%.*s" CONTROL_NAME,
				slash ? (int)(slash - public) + 1 : 0, public) < 0)
			return out_of_memory();
		control = default_control;
	}
	r = bind_own(daemon, public, GROUP_PUBLIC, false);
	return r < 0 ? r : bind_own(daemon, control, GROUP_CONTROL, true);
}

/* Sockets from systemd: FileDescriptorName=control is the control socket, any other name a public one. */
static int take_systemd_sockets(struct daemon *daemon, int n, char **names)
{
	for (int i = 0; i < n; i++) {
		const struct listener_params params = { .name = names[i],
							.is_control =
								strcmp(names[i], "control") == 0 };
		int fd = SD_LISTEN_FDS_START + i;
		int r;

		if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0) {
			log_err("a descriptor from systemd is no listening unix stream socket name=%s",
				names[i]);
			return -ENOTSOCK;
		}
		r = add_listener(daemon, fd, &params);
		if (r < 0)
			return r;
		log_info("listening name=%s kind=%s", names[i],
			 params.is_control ? "control" : "public");
	}
	return 0;
}

static int open_sockets(struct daemon *daemon)
{
	int n = sd_listen_fds_with_names(1, &daemon->socket_names);

	if (n < 0) {
		log_err("the sockets from systemd cannot be taken error=%s", strerror(-n));
		return n;
	}
	return n > 0 ? take_systemd_sockets(daemon, n, daemon->socket_names) : bind_sockets(daemon);
}

static int watch_signals(struct daemon *daemon)
{
	struct event_base *base = daemon->env.request.base;

	daemon->terminate = evsignal_new(base, SIGTERM, on_terminate, daemon);
	daemon->interrupt = evsignal_new(base, SIGINT, on_terminate, daemon);
	daemon->hangup = evsignal_new(base, SIGHUP, on_hangup, daemon);
	daemon->drain = event_new(base, -1, EV_PERSIST, on_drain, daemon);
	if (!daemon->terminate || !daemon->interrupt || !daemon->hangup || !daemon->drain)
		return -ENOMEM;
	if (event_add(daemon->terminate, NULL) < 0 || event_add(daemon->interrupt, NULL) < 0 ||
	    event_add(daemon->hangup, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* What could be made is the daemon's, whatever comes of the rest. */
static int make_racing(struct racer_env *racing, struct event_base *base)
{
	int r = hostaddrs_new(&racing->sorting.hostaddrs);

	if (r == 0)
		r = gai_conf_new(&racing->sorting.gai_conf, NULL);
	if (r == 0)
		r = addrsort_memory_new(&racing->sorting.memory);
	if (r == 0)
		r = history_new(&racing->history, 0);
	if (r == 0)
		r = prober_new(&racing->prober, racing->history, base);
	if (r == 0)
		r = tcp_metrics_new(&racing->tcp_metrics);
	if (r == 0)
		r = network_new(&racing->network, base);
	if (r == 0)
		r = brake_new(&racing->brake, base);
	return r;
}

static void free_racing(struct racer_env *racing)
{
	brake_free(racing->brake);
	network_free(racing->network);
	tcp_metrics_free(racing->tcp_metrics);
	prober_free(racing->prober);
	history_free(racing->history);
	addrsort_memory_free(racing->sorting.memory);
	gai_conf_free(racing->sorting.gai_conf);
	hostaddrs_free(racing->sorting.hostaddrs);
}

int daemon_new(struct daemon **ret, const struct daemon_params *params, bool *ret_is_config)
{
	CLEANUP(daemon_freep) struct daemon *daemon = calloc(1, sizeof(*daemon));
	int r;

	*ret_is_config = false;
	if (!daemon)
		return -ENOMEM;
	daemon->params = *params;
	json_object_seed(0); /* from the kernel's randomness, before the first object */
	r = make_base(&daemon->env.request.base);
	if (r == 0)
		r = policy_new(&daemon->env.request.policy);
	if (r == 0)
		r = quota_new(&daemon->env.request.quota);
	if (r == 0)
		r = make_racing(&daemon->env.request.racing, daemon->env.request.base);
	if (r == 0)
		r = closer_new(&daemon->env.closer);
	if (r == 0)
		r = watch_signals(daemon);
	if (r < 0) {
		log_err("cannot start error=%s", strerror(-r));
		return r;
	}
	r = load_config(daemon);
	if (r < 0) {
		*ret_is_config = true;
		return r;
	}
	r = open_sockets(daemon);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(daemon);
	return 0;
}

/* Removes a socket file that is still ours: another daemon may have put its own there. */
static void remove_own(struct own_path *own)
{
	struct stat status;

	if (stat(own->path, &status) == 0 && status.st_dev == own->dev && status.st_ino == own->ino)
		(void)unlink(own->path);
	free(own->path);
}

struct daemon *daemon_free(struct daemon *daemon)
{
	struct event *events[4];

	if (!daemon)
		return NULL;
	for (size_t i = 0; i < daemon->n_own_paths; i++)
		remove_own(&daemon->own_paths[i]);
	for (size_t i = 0; i < daemon->n_listeners; i++)
		listener_free(daemon->listeners[i]);
	for (char **name = daemon->socket_names; name && *name; name++)
		free(*name);
	free(daemon->socket_names);
	events[0] = daemon->terminate;
	events[1] = daemon->interrupt;
	events[2] = daemon->hangup;
	events[3] = daemon->drain;
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i])
			event_free(events[i]);
	nat64_discovery_free(daemon->env.request.nat64);
	resolver_free(daemon->env.request.resolver);
	policy_free(daemon->env.request.policy);
	quota_free(daemon->env.request.quota);
	free_racing(&daemon->env.request.racing);
	closer_free(daemon->env.closer);
	if (daemon->env.request.base)
		event_base_free(daemon->env.request.base);
	config_free(daemon->config);
	free(daemon);
	return NULL;
}

static void on_hangup(evutil_socket_t signal, short what, void *arg)
{
	struct daemon *daemon = arg;
	int r;

	(void)signal;
	(void)what;
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_now_us());
	r = load_config(daemon);
	if (r < 0)
		log_err("reload failed: the configuration before stays in force");
	else
		log_notice("configuration reloaded");
	(void)sd_notify(0, "READY=1");
}

static size_t count_busy(const struct daemon *daemon)
{
	size_t n = 0;

	for (size_t i = 0; i < daemon->n_listeners; i++)
		n += listener_count_busy(daemon->listeners[i]);
	return n;
}

static void on_drain(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;
	size_t n_busy = count_busy(daemon);

	(void)fd;
	(void)what;
	if (n_busy > 0 && clock_now_us() < daemon->drain_until_us)
		return;
	if (n_busy > 0)
		log_warning("the time to drain is over: calls are dropped n=%zu", n_busy);
	(void)event_base_loopbreak(daemon->env.request.base);
}

static void on_terminate(evutil_socket_t signal, short what, void *arg)
{
	const struct timeval look = { .tv_usec = DRAIN_LOOK_USEC };
	struct daemon *daemon = arg;

	(void)what;
	if (daemon->drain_until_us > 0) {
		(void)event_base_loopbreak(daemon->env.request.base); /* asked twice: at once */
		return;
	}
	log_info("stopping signal=%s", signal == SIGINT ? "INT" : "TERM");
	(void)sd_notify(0, "STOPPING=1\nSTATUS=Finishing the calls that are running");
	daemon->drain_until_us = clock_now_us() + LIMIT_DRAIN_USEC;
	daemon->env.is_draining = true;
	for (size_t i = 0; i < daemon->n_listeners; i++)
		listener_stop(daemon->listeners[i]);
	if (count_busy(daemon) == 0 || event_add(daemon->drain, &look) < 0)
		(void)event_base_loopbreak(daemon->env.request.base);
}

int daemon_run(struct daemon *daemon)
{
	log_info("started version=%s listeners=%zu", PACKAGE_VERSION, daemon->n_listeners);
	(void)sd_notifyf(0, "READY=1\nSTATUS=Listening on %zu sockets", daemon->n_listeners);
	if (event_base_dispatch(daemon->env.request.base) < 0) {
		log_err("the event loop failed");
		return -EIO;
	}
	log_info("stopped");
	return 0;
}
