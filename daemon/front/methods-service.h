/* SPDX-License-Identifier: MIT */
/*
 * The methods of org.varlink.service.
 */
#pragma once

#include "daemon/front/method.h"

extern const struct method methods_service[];
