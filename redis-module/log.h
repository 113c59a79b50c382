/* Lines in the server's log, as module `ferrite`, above `ferrite.log-level`. */
#ifndef FERRITE_LOG_H
#define FERRITE_LOG_H

typedef enum LogLevel { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING } LogLevel;

void log_line(LogLevel level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
