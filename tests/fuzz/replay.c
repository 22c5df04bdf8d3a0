/* SPDX-License-Identifier: MIT */
/*
 * main() for a fuzzer that is built without libFuzzer: runs every file named on the command line, or in a directory
 * named there, once. So the corpora are regression tests with any compiler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static size_t n_run;

static int run_file(const char *path)
{
	struct stat status;
	FILE *file = fopen(path, "re");
	uint8_t *data;
	size_t len;

	if (!file || fstat(fileno(file), &status) < 0) {
		perror(path);
		if (file)
			(void)fclose(file);
		return -1;
	}
	/* Exactly as large as the input, so that a sanitizer sees one byte too far. */
	data = malloc(status.st_size > 0 ? (size_t)status.st_size : 1);
	if (!data)
		abort();
	len = fread(data, 1, (size_t)status.st_size, file);
	(void)fclose(file);
	(void)LLVMFuzzerTestOneInput(data, len);
	free(data);
	n_run++;
	return 0;
}

static int run_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int result = 0;

	if (!dir)
		return run_file(path);
	while ((entry = readdir(dir)) != NULL) {
		char *file;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0)
			abort();
		result |= run_file(file);
		free(file);
	}
	(void)closedir(dir);
	return result;
}

int main(int argc, char **argv)
{
	int result = 0;

	for (int i = 1; i < argc; i++)
		result |= run_directory(argv[i]);
	printf("%zu inputs\n", n_run);
	return result == 0 && n_run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
