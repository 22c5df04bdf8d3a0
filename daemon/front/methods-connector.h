/* SPDX-License-Identifier: MIT */
/*
 * The methods of org.asockd.Connector.
 */
#pragma once

#include "daemon/front/method.h"

extern const struct method methods_connector[];
