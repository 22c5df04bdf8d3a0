/* SPDX-License-Identifier: MIT */
/*
 * Groups are built from their sources (the configuration, resolv.conf) whenever one of these changed, and once a second
 * while a server names an interface. Memory is taken only in dns_config_file_configure, so that nothing can fail when a file
 * has changed.
 */
#include "daemon/resolve/dns-config.h"

#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/domain.h"
#include "daemon/base/file.h"
#include "daemon/resolve/resolv-conf.h"

#define ZONE_LOOK_USEC USEC_PER_SEC

struct dns_config_file {
	struct file_follow file;
	struct resolv_conf resolv_conf;
	struct name_servers *configured; /* owned; of the configuration */
	size_t n_configured;
	struct name_servers *groups; /* owned; in force; their domains are those of configured */
	size_t n_groups;
	bool is_stale;	     /* resolv_conf is newer than the rest */
	uint64_t look_at_us; /* interfaces are looked for again; 0: no server names one */
	struct dns_config config;
};

const struct name_servers *dns_config_find(const struct dns_config *config, const char *name)
{
	const struct name_servers *found = &config->groups[0];
	size_t found_len = 0;

	for (size_t i = 1; i < config->n_groups; i++) {
		for (size_t j = 0; j < config->groups[i].n_domains; j++) {
			const char *domain = config->groups[i].domains[j];
			size_t len = strlen(domain) + 1; /* so that "" is longer than none */

			if (len > found_len && domain_covers(domain, name)) {
				found = &config->groups[i];
				found_len = len;
			}
		}
	}
	return found;
}

/* A file_load_fn. */
static int load(void *arg, char *text, size_t len)
{
	struct dns_config_file *file = arg;
	struct file_bad_lines bad;

	resolv_conf_parse(text ? text : "", len, &file->resolv_conf, &bad);
	file_follow_warn_bad_lines(&file->file, &bad);
	free(text);
	file->is_stale = true;
	return 0;
}

/* Whether the plain section's servers are for some domains only, which makes a group of them beside resolv.conf's. */
static bool is_plain_group(const struct name_servers *configured, size_t n)
{
	return n > 0 && configured[0].n_domains > 0;
}

static size_t count_groups(const struct name_servers *configured, size_t n)
{
	return is_plain_group(configured, n) ? n + 1 : n > 0 ? n : 1;
}

/* Those of the servers that can be sent to. */
static void take_servers(struct dns_config_file *file, struct name_server *servers, size_t n,
			 struct name_servers *group)
{
	for (size_t i = 0; i < n; i++) {
		nameservers_find_zone(&servers[i]);
		if (servers[i].zone[0])
			file->look_at_us = clock_now_us() + ZONE_LOOK_USEC;
		if (nameservers_is_usable(&servers[i]))
			group->servers[group->n_servers++] = servers[i];
	}
}

static struct name_servers make_group(struct dns_config_file *file, size_t i)
{
	bool is_plain = is_plain_group(file->configured, file->n_configured);
	struct name_servers group = { 0 };
	struct name_servers *source = NULL;

	if (i > 0)
		source = &file->configured[is_plain ? i - 1 : i];
	else if (!is_plain && file->n_configured > 0 && file->configured[0].n_servers > 0)
		source = &file->configured[0];
	if (!source) {
		take_servers(file, file->resolv_conf.servers, file->resolv_conf.n_servers, &group);
		return group;
	}
	take_servers(file, source->servers, source->n_servers, &group);
	group.domains = source->domains;
	group.n_domains = source->n_domains;
	return group;
}

/* Puts what the sources say into groups. Answers whether anything is different from before. */
static bool make_groups(struct dns_config_file *file, const struct name_servers *before,
			size_t n_before)
{
	bool is_changed = file->n_groups != n_before;

	file->look_at_us = 0;
	for (size_t i = 0; i < file->n_groups; i++) {
		struct name_servers group = make_group(file, i);

		is_changed = is_changed || !nameservers_equal(&before[i], &group);
		file->groups[i] = group;
	}
	return is_changed;
}

static void publish(struct dns_config_file *file, bool is_changed)
{
	const struct resolv_conf *from = &file->resolv_conf;
	struct dns_config *config = &file->config;

	file->is_stale = false;
	config->groups = file->groups;
	config->n_groups = file->n_groups;
	memcpy(config->search, from->search, sizeof(config->search));
	config->n_search = from->n_search;
	config->ndots = from->ndots;
	config->attempts = from->attempts;
	config->timeout_us = from->timeout_us;
	config->rotate = from->rotate;
	config->use_tcp = from->use_tcp;
	config->trust_ad = from->trust_ad;
	config->no_aaaa = from->no_aaaa;
	config->generation += is_changed ? 1 : 0;
}

static void free_groups(struct name_servers *groups, size_t n)
{
	for (size_t i = 0; i < n; i++)
		nameservers_done(&groups[i]);
	free(groups);
}

static int copy_groups(const struct dns_config_params *params, struct name_servers **ret)
{
	struct name_servers *copies = calloc(params->n_groups + 1, sizeof(*copies));

	if (!copies)
		return -ENOMEM;
	for (size_t i = 0; i < params->n_groups; i++) {
		if (nameservers_copy(&params->groups[i], &copies[i]) < 0) {
			free_groups(copies, i);
			return -ENOMEM;
		}
	}
	*ret = copies;
	return 0;
}

static int follow(struct dns_config_file *file, const char *path)
{
	struct file_follow other;

	if (file->file.path && strcmp(file->file.path, path) == 0)
		return 0;
	if (file_follow_init(&other, path) < 0)
		return -ENOMEM;
	file_follow_done(&file->file);
	file->file = other;
	resolv_conf_init(&file->resolv_conf);
	return 0;
}

int dns_config_file_configure(struct dns_config_file *file, const struct dns_config_params *params)
{
	size_t n_groups = count_groups(params->groups, params->n_groups);
	CLEANUP(freep) struct name_servers *groups = calloc(n_groups, sizeof(*groups));
	struct name_servers *configured = NULL, *old_configured = file->configured;
	struct name_servers *old_groups = file->groups;
	size_t n_old_configured = file->n_configured, n_old_groups = file->n_groups;

	if (!groups || copy_groups(params, &configured) < 0)
		return -ENOMEM;
	if (follow(file, params->path ? params->path : "") < 0) {
		free_groups(configured, params->n_groups);
		return -ENOMEM;
	}
	file->configured = configured;
	file->n_configured = params->n_groups;
	file->groups = TAKE_PTR(groups);
	file->n_groups = n_groups;
	file->config.random_case = params->random_case;
	file_follow_refresh(&file->file, load, file);
	publish(file, make_groups(file, old_groups, n_old_groups));
	free_groups(old_configured, n_old_configured);
	free(old_groups);
	return 0;
}

int dns_config_file_new(struct dns_config_file **ret, const struct dns_config_params *params)
{
	CLEANUP(dns_config_file_freep)
	struct dns_config_file *file = calloc(1, sizeof(*file));
	int r = file ? dns_config_file_configure(file, params) : -ENOMEM;

	if (r == 0)
		*ret = TAKE_PTR(file);
	return r;
}

struct dns_config_file *dns_config_file_free(struct dns_config_file *file)
{
	if (!file)
		return NULL;
	file_follow_done(&file->file);
	free_groups(file->configured, file->n_configured);
	free(file->groups);
	free(file);
	return NULL;
}

const struct dns_config *dns_config_file_get(struct dns_config_file *file)
{
	file_follow_refresh(&file->file, load, file);
	if (file->is_stale || (file->look_at_us > 0 && clock_now_us() >= file->look_at_us))
		publish(file, make_groups(file, file->groups, file->n_groups));
	return &file->config;
}
