/* folder.c: servers that start, end and are killed at the same moments, in one place. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"
#include "testing/check.h"

enum { SERVERS = 6, NAME = 64 };

static char place[128];

static bool put_file(const char *folder, const char *name) {
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wx");
    return file && fclose(file) == 0;
}

static bool is_there(const char *name) {
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", place, name);
    return access(path, F_OK) == 0;
}

static const char *make_by_hand(const char *name) {
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", place, name);
    if (mkdir(path, 0700) != 0 || !put_file(path, "s") || !put_file(path, "token")) abort();
    return path;
}

static int how_many(void) {
    int count = 0;
    DIR *dir = opendir(place);
    for (struct dirent *entry; dir && (entry = readdir(dir));) count += entry->d_name[0] != '.';
    if (dir) closedir(dir);
    return count;
}

/* What servers that were killed have left. */
static void sweep(void) {
    if (CHECK(folder_make(place) != NULL, "%s", strerror(errno))) folder_remove();
}

/* A server's life: its folder must stay as it is until it removes it itself. */
static bool live_once(void) {
    const char *folder = folder_make(place);
    if (!folder || !put_file(folder, "token") || !put_file(folder, "s")) return false;
    usleep((useconds_t)check_random(300));
    struct stat info;
    char path[256];
    snprintf(path, sizeof(path), "%s/token", folder);
    bool ok = stat(path, &info) == 0;
    snprintf(path, sizeof(path), "%s/s", folder);
    ok = ok && stat(path, &info) == 0;
    folder_remove();
    return ok && access(folder, F_OK) != 0;
}

static void servers_that_start_at_once(void) {
    int rounds = check_rounds(300, 20000), pids[SERVERS];
    for (int i = 0; i < SERVERS; i++) {
        if ((pids[i] = fork()) != 0) continue;
        for (int n = 0; n < i; n++) check_random(2); /* waits of its own */
        for (int round = 0; round < rounds; round++) {
            if (!live_once()) _exit(1);
        }
        _exit(0);
    }
    for (int i = 0; i < SERVERS; i++) {
        int status = 0;
        waitpid(pids[i], &status, 0);
        CHECK(status == 0, "a server lost its folder, or could not make one");
    }
    CHECK(how_many() == 0, "%d folders are left", how_many());
}

static void servers_that_are_killed_at_any_moment(void) {
    for (int round = check_rounds(100, 5000); round > 0; round--) {
        int pid = fork();
        if (pid == 0) {
            while (live_once()) continue;
            _exit(1);
        }
        usleep((useconds_t)check_random(3000));
        bool lived = live_once();
        CHECK(lived, "the server beside it lost its folder");
        kill(pid, SIGKILL);
        int status = 0;
        waitpid(pid, &status, 0);
        CHECK(WIFSIGNALED(status), "the server lost its folder");
    }
    sweep();
    CHECK(how_many() == 0, "%d folders are left", how_many());
}

static void a_lock_that_is_held(void) {
    int ready[2], end[2];
    char byte = 0;
    if (pipe(ready) != 0 || pipe(end) != 0) abort();
    int pid = fork();
    if (pid == 0) {
        close(end[1]);
        const char *folder = folder_make(place);
        if (!folder || dprintf(ready[1], "%s", strrchr(folder, '/') + 1) < 0) _exit(1);
        _exit(read(end[0], &byte, 1) < 0); /* as if it were killed: nothing is removed */
    }
    char name[NAME] = "";
    CHECK(read(ready[0], name, sizeof(name) - 1) > 0, "no folder");
    sweep();
    CHECK(is_there(name), "a folder whose lock is held was removed");
    close(end[1]);
    waitpid(pid, NULL, 0);
    CHECK(is_there(name), "nobody has removed it yet");
    sweep();
    CHECK(!is_there(name), "a folder whose lock was free is still there");
    close(end[0]);
    close(ready[0]);
    close(ready[1]);
}

static void folders_of_older_builds(void) {
    char own[NAME], alive[NAME], gone[] = "ferrite-4194305-0123abcd"; /* no pid is that high */
    snprintf(own, sizeof(own), "ferrite-%d-0123abcd", (int)getpid());
    snprintf(alive, sizeof(alive), "ferrite-%d-0123abcd", (int)getppid());
    make_by_hand(own);
    make_by_hand(alive);
    make_by_hand(gone);
    sweep();
    CHECK(!is_there(own), "a folder with our own pid, of a process before us, is still there");
    CHECK(is_there(alive), "the folder of a process that lives was removed");
    CHECK(!is_there(gone), "the folder of a process that is gone is still there");
    char path[256];
    snprintf(path, sizeof(path), "%s/%s/s", place, alive);
    unlink(path);
    snprintf(path, sizeof(path), "%s/%s/token", place, alive);
    unlink(path);
    snprintf(path, sizeof(path), "%s/%s", place, alive);
    rmdir(path);
}

static void what_is_not_ours(void) {
    static const char *const names[] = {"ferrite-1.0123abcde", "ferrite-somebody", "ferrite-1_0123abcd", "ferrite-7"};
    enum { NAMES = sizeof(names) / sizeof(*names) };
    char path[256];
    for (int i = 0; i < NAMES; i++) {
        snprintf(path, sizeof(path), "%s/%s", place, names[i]);
        if (mkdir(path, 0700) != 0) abort();
    }
    put_file(place, "ferrite-1.0123abcd");
    sweep();
    CHECK(how_many() == NAMES + 1, "%d of %d entries are there", how_many(), NAMES + 1);
    for (int i = 0; i < NAMES; i++) {
        snprintf(path, sizeof(path), "%s/%s", place, names[i]);
        rmdir(path);
    }
    snprintf(path, sizeof(path), "%s/ferrite-1.0123abcd", place);
    unlink(path);
}

static void places_where_none_can_be_made(void) {
    CHECK(!folder_make("/nonexistent") && errno == ENOENT, "not refused: %s", strerror(errno));
    CHECK(!folder_make("/proc/self") && errno == ENOENT, "not refused: %s", strerror(errno));
    folder_remove();
}

int main(void) {
    const char *temporary = getenv("TMPDIR");
    snprintf(place, sizeof(place), "%.80s/ferrite-test-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(place)) return 1;
    check_run("folder: one whose lock is held stays, one whose lock is free was left", a_lock_that_is_held);
    check_run("folder: those of builds without a lock are judged by their pid", folders_of_older_builds);
    check_run("folder: what has another form stays", what_is_not_ours);
    check_run("folder: servers that start at the same moment leave each other's alone", servers_that_start_at_once);
    check_run("folder: whenever a server is killed, nothing stays and nobody else's is removed",
              servers_that_are_killed_at_any_moment);
    check_run("folder: a place where none can be made", places_where_none_can_be_made);
    rmdir(place);
    return check_end();
}
