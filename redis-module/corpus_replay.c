/* Stands in for libFuzzer where clang is missing: runs every file named on the command line (or, for a
 * folder, every file in it) through the fuzz target once. Finds what the corpus already knows, no more. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    /* Exactly as large as the input, so that AddressSanitizer sees a read beyond its end. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL) abort();
    size_t got = fread(data, 1, size, file);
    fclose(file);
    if (got == size) LLVMFuzzerTestOneInput(data, size);
    free(data);
    if (got == size) return 0;
    fprintf(stderr, "%s: read %zu bytes of %zu\n", path, got, size);
    return 1;
}

static int replay(const char *path, unsigned *count) {
    struct stat status;
    if (stat(path, &status) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(status.st_mode)) {
        (*count)++;
        return replay_file(path, (size_t)status.st_size);
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        return 1;
    }
    int failed = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        size_t length = strlen(path) + strlen(entry->d_name) + 2;
        char *inner = malloc(length);
        if (inner == NULL) abort();
        snprintf(inner, length, "%s/%s", path, entry->d_name);
        failed |= replay(inner, count);
        free(inner);
    }
    closedir(folder);
    return failed;
}

int main(int argc, char **argv) {
    unsigned count = 0;
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') failed |= replay(argv[i], &count);
    }
    printf("%u inputs replayed\n", count);
    return failed;
}
