/* glob_match against the recursive reference. The first byte of the input is the length of the pattern; the text is the
 * rest. */
#include <stdint.h>

#include "glob.h"
#include "testing/reference.h"
#include "testing/require.h"
#include "testing/vectors.h"

enum { STEPS = 10000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    size_t pattern_length = data[0] < size - 1 ? data[0] : size - 1;
    size_t length = size - 1 - pattern_length;
    char *pattern = (char *)exact_copy(data + 1, pattern_length);
    char *text = (char *)exact_copy(data + 1 + pattern_length, length);
    long steps = STEPS;
    int expected = reference_glob(pattern, pattern_length, text, length, &steps);
    bool matches = glob_match(pattern, pattern_length, text, length);
    REQUIRE(expected < 0 || matches == expected);
    REQUIRE(glob_match("*", 1, text, length));
    free(pattern);
    free(text);
    return 0;
}
