/* SPDX-License-Identifier: MIT */
/*
 * The hosts file (hosts(5)). A lookup first compares the file's identity (device, inode, size,
 * mtime in ns) with what was read, and reads it again when they differ. A file that is gone counts as
 * empty; one that cannot be read leaves what was known in force (base/file).
 */
#pragma once

#include <stddef.h>

#include "daemon/base/limits.h"
#include "protocol/address.h"

struct hosts;

/* path is copied; NULL or "": there is no file. -ENOMEM; a bad file is no error. */
MUST_CHECK int hosts_new(struct hosts **ret, const char *path);
struct hosts *hosts_free(struct hosts *hosts);
DEFINE_CLEANUP(struct hosts, hosts_free)

const char *hosts_get_path(const struct hosts *hosts);

/*
 * What hosts_lookup does with the file's text when it changed: len bytes take the place of all that
 * was known. -ENOMEM: it stays.
 */
MUST_CHECK int hosts_parse(struct hosts *hosts, const char *text, size_t len);

/*
 * Addresses of name (lower case, no final dot) in the order of the file, both families, equal ones
 * once, at most max (and of one name no more than LIMIT_DNS_ADDRESSES are kept). Answers how many
 * were written; 0: the name is not in the file.
 */
size_t hosts_lookup(struct hosts *hosts, const char *name, struct address *ret, size_t max);

/* Names that have this address, in the order of the file, at most max. Answers how many were written. */
size_t hosts_find_names(struct hosts *hosts, const struct address *address,
			char (*ret)[LIMIT_NAME_BYTES + 1], size_t max);

/*
 * Lines that could not be used, at least in part, when the file was last read, and the number of
 * the first (from 1; 0: none).
 */
size_t hosts_get_bad_lines(const struct hosts *hosts, size_t *ret_first);
