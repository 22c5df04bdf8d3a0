/* SPDX-License-Identifier: MIT */
/*
 * The methods of org.asockd.Resolver.
 */
#pragma once

#include "daemon/front/method.h"

extern const struct method methods_resolver[];
