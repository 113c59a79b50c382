#include "log.h"

#include <stdarg.h>
#include <stdio.h>

#include "config.h"
#include "module.h"

void log_line(LogLevel level, const char *format, ...) {
    if ((int)level < config.log_level) return;
    char text[1024]; /* the server cuts its lines at this length too */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    /* Names and reasons come from plugins: none of them begins a line of its own. */
    for (char *at = text; *at; at++) {
        if ((unsigned char)*at < 32) *at = ' ';
    }
    RedisModule_Log(module_context, config_log_levels[level], "%s", text);
}
