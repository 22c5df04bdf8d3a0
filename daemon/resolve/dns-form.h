/* SPDX-License-Identifier: MIT */
/*
 * Whether record data has the form that its type asks for: whole, and nothing behind it. Names must be uncompressed. Only
 * data that passes is handed to ldns, which takes an A record of no octets, and more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* false also for a type whose form is not known here, and for what could not be shown without doubt. */
bool dns_form_is_good(uint16_t type, const uint8_t *data, size_t len);
