/* SPDX-License-Identifier: MIT */
/*
 * The policy table of RFC 6724 section 2.1 and the scopes of IPv4 addresses: built in, or as gai.conf(5) says. The file
 * is followed: gai_conf_refresh reads it again when it changed (base/file). What is asked in between does no I/O.
 */
#pragma once

#include <stddef.h>

#include "protocol/address.h"

#define GAI_CONF_ROWS_MAX 256 /* lines of one kind; further ones are bad lines */

struct gai_conf;

/* path is copied; NULL or "": there is no file, only what is built in. -ENOMEM; a bad file is no error. */
MUST_CHECK int gai_conf_new(struct gai_conf **ret, const char *path);
struct gai_conf *gai_conf_free(struct gai_conf *conf);
DEFINE_CLEANUP(struct gai_conf, gai_conf_free)

/* Follows the file to another path, as gai_conf_new took it. -ENOMEM: all stays. */
MUST_CHECK int gai_conf_configure(struct gai_conf *conf, const char *path);

/* Reads the file again if it is not the one that was read. NULL: nothing to do. */
void gai_conf_refresh(struct gai_conf *conf);

/* What a refresh does with the file's text: len bytes take the place of all that was known. -ENOMEM: it stays. */
MUST_CHECK int gai_conf_parse(struct gai_conf *conf, const char *text, size_t len);

/* Of an IPv4 or IPv6 address; conf NULL: what is built in. */
unsigned int gai_conf_get_label(const struct gai_conf *conf, const struct address *address);
unsigned int gai_conf_get_precedence(const struct gai_conf *conf, const struct address *address);
/* RFC 6724 section 3.1 and, for IPv4, 3.2 or the file. */
unsigned int gai_conf_get_scope(const struct gai_conf *conf, const struct address *address);

const char *gai_conf_get_path(const struct gai_conf *conf);

/* Lines that could not be used when the file was last read, and the number of the first (from 1; 0: none). */
size_t gai_conf_get_bad_lines(const struct gai_conf *conf, size_t *ret_first);
