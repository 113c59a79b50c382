/* For fuzz targets: a promise that does not hold ends the program, which is how libFuzzer learns of it. */
#ifndef FERRITE_REQUIRE_H
#define FERRITE_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (condition) break;                                                                                          \
        fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                                 \
        abort();                                                                                                       \
    } while (0)

#endif
