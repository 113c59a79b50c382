#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "environment.h"
#include "listener.h"
#include "log.h"
#include "memory.h"
#include "module.h"
#include "output.h"

enum { BACKOFF_FIRST = 100000, BACKOFF_MAX = 10000000, HEALTHY_AFTER = 5000000 }; /* us */
enum { END_WAIT = 2000000 }; /* us: what the host is given to end its plugins when the server stops */

static struct {
    int pid;   /* 0: none */
    int pidfd; /* -1: none, or the kernel has none (before 5.3): then the end of its output tells */
    uint64_t started_at, next_start, backoff; /* us */
    uint32_t starts;
    bool stopped;
    char problem[512];
} host = {.pidfd = -1};

const char *host_problem(void) {
    return host.problem;
}

uint32_t host_restarts(void) {
    return host.starts ? host.starts - 1 : 0;
}

int host_pid(void) {
    return host.pid;
}

/* ===== Which programs ===== */

/* Reads `name=value` from the file ferrite-host beside the module, written where the module was built. */
static bool beside_module(const char *name, char *value, size_t size) {
    char path[PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/ferrite-host", module_folder);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    char line[PATH_MAX + 16];
    size_t length = strlen(name);
    bool found = false;
    while (!found && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\r\n")] = '\0';
        found = strncmp(line, name, length) == 0 && line[length] == '=' && line[length + 1];
        if (found) snprintf(value, size, "%s", line + length + 1);
    }
    fclose(file);
    return found;
}

static bool on_path(const char *path, const char *program, char *found, size_t size) {
    if (!path || !*path) path = "/usr/local/bin:/usr/bin:/bin";
    while (*path) {
        size_t length = strcspn(path, ":");
        snprintf(found, size, "%.*s/%s", (int)length, path, program);
        if (length && access(found, X_OK) == 0) return true;
        path += length + (path[length] == ':');
    }
    return false;
}

static bool find_node(char *const *environment, char *path, size_t size) {
    if (*config.node_path) {
        snprintf(path, size, "%s", config.node_path);
        if (access(path, X_OK) == 0) return true;
        snprintf(host.problem, sizeof(host.problem), "ferrite.node-path %s: %s", path, strerror(errno));
        return false;
    }
    if (beside_module("node", path, size) && access(path, X_OK) == 0) return true;
    if (on_path(environment_get(environment, "PATH"), "node", path, size)) return true;
    snprintf(host.problem, sizeof(host.problem),
             "no node found on PATH: install Node.js 20.17 or newer, or set ferrite.node-path");
    return false;
}

static bool find_script(char *path, size_t size) {
    if (*config.host_path)
        snprintf(path, size, "%s", config.host_path);
    else if (!beside_module("host", path, size))
        snprintf(path, size, "%s/../lib/host/main.js", module_folder);
    if (access(path, R_OK) == 0) return true;
    snprintf(host.problem, sizeof(host.problem), "the host's program %s: %s (set ferrite.host-path)", path,
             strerror(errno));
    return false;
}

/* ===== Spawn ===== */

typedef struct Spawn {
    char *const *arguments;
    char *const *environment;
    int output; /* write end of the pipe */
    int parent;
    sigset_t none;
    volatile int error; /* errno of what failed in the child */
} Spawn;

/* Runs between vfork and exec, on the parent's memory: system calls only, and nothing that the parent would see. */
static void child_main(Spawn *spawn) {
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &by_default, NULL);
    setsid(); /* Ctrl-C in the terminal is the server's affair */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != spawn->parent) _exit(127);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0) dup2(nothing, 0);
    dup2(spawn->output, 1);
    dup2(spawn->output, 2);
    int oom_score = open("/proc/self/oom_score_adj", O_WRONLY); /* opened by the parent, `self` would be the server */
    if (oom_score >= 0 && write(oom_score, "1000", 4) < 0) {
        /* not allowed here: the host keeps the server's score */
    }
    /* Waking up does not take the processor from the server, which would be interrupted by the answers to what it has
     * just sent. Where it is not allowed the host is scheduled as any process. */
    sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
    if (syscall(SYS_close_range, 3, ~0U, 0) < 0) {
        for (int fd = 3; fd < 65536; fd++) close(fd);
    }
    sigprocmask(SIG_SETMASK, &spawn->none, NULL);
    execve(spawn->arguments[0], spawn->arguments, spawn->environment);
    spawn->error = errno;
    _exit(127);
}

/* vfork: no copy of the page tables of a large server. Returns the pid, or -1. */
static int spawn_process(char *const *arguments, char *const *environment, int output, int *failed) {
    Spawn spawn = {.arguments = arguments, .environment = environment, .output = output, .parent = getpid()};
    sigset_t all, before;
    sigfillset(&all);
    sigemptyset(&spawn.none);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* no handler of the server runs in the child */
    int pid = vfork();
    if (pid == 0) child_main(&spawn);
    *failed = pid < 0 ? errno : spawn.error;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid > 0 && spawn.error) {
        waitpid(pid, NULL, 0);
        return -1;
    }
    return pid;
}

/* ===== Its end ===== */

static void schedule_restart(void) {
    uint64_t now = clock_microseconds();
    if (now - host.started_at > HEALTHY_AFTER || host.backoff == 0)
        host.backoff = BACKOFF_FIRST;
    else
        host.backoff = host.backoff * 2 > BACKOFF_MAX ? BACKOFF_MAX : host.backoff * 2;
    host.next_start = now + host.backoff;
}

static void describe_end(char *text, size_t size) {
    siginfo_t info = {0};
    if (host.pidfd < 0 || waitid(P_PIDFD, (id_t)host.pidfd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) {
        snprintf(text, size, "ended"); /* the server's core reaped it first */
    } else if (info.si_code == CLD_EXITED) {
        snprintf(text, size, "ended with status %d", info.si_status);
    } else {
        snprintf(text, size, "was killed by signal %d (%s)", info.si_status, strsignal(info.si_status));
    }
}

static void ended(void) {
    if (host.pid == 0) return;
    char how[128];
    describe_end(how, sizeof(how));
    if (host.pidfd >= 0) {
        RedisModule_EventLoopDel(host.pidfd, REDISMODULE_EVENTLOOP_READABLE);
        close(host.pidfd);
        host.pidfd = -1;
    } else {
        waitpid(host.pid, NULL, WNOHANG);
    }
    int pid = host.pid;
    host.pid = 0;
    if (host.stopped) return;
    schedule_restart();
    snprintf(host.problem, sizeof(host.problem), "plugin host %s, it is started again", how);
    log_line(LOG_WARNING, "plugin host (pid %d) %s, next start in %.1f s", pid, how, (double)host.backoff / 1e6);
}

static void output_ended(void) {
    if (host.pidfd < 0) ended();
}

static void on_exit_event(int fd, void *data, int mask) {
    (void)fd, (void)data, (void)mask;
    ended();
}

/* ===== Start ===== */

static bool start_process(const char *node, const char *script, char *const *environment) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        snprintf(host.problem, sizeof(host.problem), "cannot make a pipe for the host: %s", strerror(errno));
        return false;
    }
    fcntl(pipe_ends[1], F_SETFL, 0); /* the host's end blocks, so that no log line is lost */
    char *arguments[] = {(char *)node, (char *)script, NULL};
    int failed = 0;
    int pid = spawn_process(arguments, environment, pipe_ends[1], &failed);
    close(pipe_ends[1]);
    if (pid < 0 || !output_open(pipe_ends[0], output_ended)) {
        snprintf(host.problem, sizeof(host.problem), "cannot start %s: %s", node, strerror(failed ? failed : errno));
        if (pid > 0) kill(pid, SIGKILL);
        close(pipe_ends[0]);
        return false;
    }
    host.pid = pid;
    host.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (host.pidfd >= 0) {
        fcntl(host.pidfd, F_SETFD, FD_CLOEXEC);
        RedisModule_EventLoopAdd(host.pidfd, REDISMODULE_EVENTLOOP_READABLE, on_exit_event, NULL);
    }
    return true;
}

void host_start(void) {
    if (config.host_mode == HOST_EXTERNAL) {
        snprintf(host.problem, sizeof(host.problem), "waiting for an external host (ferrite.host-mode external)");
        log_line(LOG_NOTICE, "ferrite.host-mode is external: start the host with FERRITE_SOCKET=%s",
                 listener_socket_path());
        return;
    }
    char node[PATH_MAX], script[2 * PATH_MAX], socket[PATH_MAX];
    host.started_at = clock_microseconds();
    snprintf(socket, sizeof(socket), "FERRITE_SOCKET=%s", listener_socket_path());
    char **environment = environment_with(socket);
    bool started = find_node(environment, node, sizeof(node)) && find_script(script, sizeof(script)) &&
                   start_process(node, script, environment);
    environment_free(environment);
    if (started) {
        host.problem[0] = '\0';
        host.starts++;
        log_line(LOG_NOTICE, "plugin host started (pid %d): %s %s", host.pid, node, script);
        return;
    }
    schedule_restart();
    log_line(LOG_WARNING, "plugin host not started: %s; next try in %.1f s", host.problem, (double)host.backoff / 1e6);
}

void host_cron(void) {
    output_cron();
    if (host.stopped || host.pid || config.host_mode == HOST_EXTERNAL) return;
    if (clock_microseconds() >= host.next_start) host_start();
}

void host_kill(const char *reason) {
    if (host.pid == 0) return;
    log_line(LOG_WARNING, "killing the plugin host (pid %d): %s", host.pid, reason);
    if (host.pidfd >= 0)
        syscall(SYS_pidfd_send_signal, host.pidfd, SIGKILL, NULL, 0);
    else
        kill(host.pid, SIGKILL);
}

/* Its last lines go to the log too. */
static void wait_for_end(void) {
    uint64_t now = clock_microseconds(), deadline = now + END_WAIT;
    for (; host.pid && now < deadline; now = clock_microseconds()) {
        struct pollfd waited[] = {{.fd = output_descriptor(), .events = POLLIN}, {.fd = host.pidfd, .events = POLLIN}};
        if (poll(waited, 2, (int)((deadline - now + 999) / 1000)) <= 0) continue;
        if (waited[0].revents) output_read();
        if (waited[1].revents) ended();
    }
    output_read();
}

void host_stop(void) {
    host.stopped = true;
    wait_for_end();
    host_kill("it has not ended within 2 s");
    output_close();
    if (host.pidfd >= 0) {
        RedisModule_EventLoopDel(host.pidfd, REDISMODULE_EVENTLOOP_READABLE);
        close(host.pidfd);
        host.pidfd = -1;
    }
    host.pid = 0;
}
