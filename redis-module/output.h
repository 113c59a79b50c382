/* The host's standard output and error, one pipe: its lines in the server's log, with their level (sd-daemon(3)).
 *
 * A plugin that prints without end must neither fill the log nor take the server's time: beyond a burst, lines are
 * dropped, and counted in one line a second. As long as some are dropped the pipe is read ten times or so a second, not
 * whenever something is there; the host writes without waiting, so only who writes to the pipe itself is held up. */
#ifndef FERRITE_OUTPUT_H
#define FERRITE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

/* Takes over the read end of a host's pipe, which does not block; `ended` is called when nobody can write to it any
 * more. False: it cannot be watched, and stays the caller's. */
bool output_open(int fd, void (*ended)(void));

/* What poll waits for; -1: there is none. */
int output_descriptor(void);

/* Logs what is there now, 1 MiB at most. */
void output_read(void);

/* Logs what is left of a last line. */
void output_close(void);

/* `hz` times per second. */
void output_cron(void);

/* Since the server's start. */
uint64_t output_lines_dropped(void);

#endif
