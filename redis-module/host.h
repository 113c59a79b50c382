/* The host process: started by the module, watched through its pidfd, started again when it ends.
 *
 * The server's core reaps children too (waitpid(-1) during BGSAVE), so the host's pid is never waited for by number and
 * never signalled after its pidfd has become readable. */
#ifndef FERRITE_HOST_H
#define FERRITE_HOST_H

#include <stdbool.h>
#include <stdint.h>

/* Starts it, unless host-mode is external. What fails is logged and tried again (host_cron). */
void host_start(void);

/* `hz` times per second: starts it again when its time has come. */
void host_cron(void);

/* Kills a host that is stuck; its end is noticed as usual. */
void host_kill(const char *reason);

/* The server shuts down and has closed the lanes: no further start. Waits up to 2 s for the host to end its plugins,
 * then kills it. Blocks. */
void host_stop(void);

/* Why there is no host, or "" while one is running or starting. */
const char *host_problem(void);
uint32_t host_restarts(void);
int host_pid(void); /* 0: none */

#endif
