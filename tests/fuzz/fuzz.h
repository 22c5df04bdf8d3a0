/* SPDX-License-Identifier: MIT */
/*
 * The one entry point of every fuzzer. A fuzzer is a file fuzz_NAME.c that defines it and a folder NAME.corpus.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
