#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, NAMES_TRIED = 16, RANDOM_DIGITS = 8 };

static char own_path[128];
static int own = -1; /* holds the lock */

/* ===== Folders that were left ===== */

static void empty_and_remove(int folder, const char *path) {
    unlinkat(folder, "s", 0);
    unlinkat(folder, "token", 0);
    rmdir(path);
}

/* The character between pid and random digits, which tells how a folder is judged; 0: it is not of our making. */
static char kind_of_name(const char *name, int *pid) {
    int used = 0;
    if (sscanf(name, "ferrite-%d%n", pid, &used) != 1 || *pid <= 0) return 0;
    if (strlen(name + used) != 1 + RANDOM_DIGITS || !strchr(".-", name[used])) return 0;
    return name[used];
}

static bool lock(int folder) {
    return flock(folder, LOCK_EX | LOCK_NB) == 0;
}

static bool was_left(int folder, char kind, int pid) {
    struct stat info;
    if (fstat(folder, &info) != 0 || info.st_uid != geteuid()) return false;
    if (kind == '-') return pid == getpid() || kill(pid, 0) != 0;
    return lock(folder);
}

static void remove_left(const char *place) {
    DIR *dir = opendir(place);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        int pid = 0;
        char kind = kind_of_name(entry->d_name, &pid), path[PATH_MAX];
        if (!kind) continue;
        snprintf(path, sizeof(path), "%s/%s", place, entry->d_name);
        int folder = open(path, OPEN_FOLDER);
        if (folder < 0) continue;
        if (was_left(folder, kind, pid)) empty_and_remove(folder, path);
        close(folder);
    }
    closedir(dir);
}

/* ===== Our own ===== */

/* Where the file system has no locks nobody else gets one either: nothing is ever removed there. */
static bool hold(const char *path) {
    own = open(path, OPEN_FOLDER);
    if (own >= 0 && (lock(own) || errno != EWOULDBLOCK) && access(path, F_OK) == 0) return true;
    int problem = errno;
    if (own >= 0) close(own);
    own = -1;
    errno = problem;
    return false;
}

const char *folder_make(const char *place) {
    remove_left(place);
    for (int i = 0; i < NAMES_TRIED; i++) {
        unsigned random;
        if (getrandom(&random, sizeof(random), 0) != sizeof(random)) return NULL;
        snprintf(own_path, sizeof(own_path), "%s/ferrite-%d.%08x", place, (int)getpid(), random);
        if (mkdir(own_path, 0700) == 0) {
            if (hold(own_path)) return own_path;
            int problem = errno;
            rmdir(own_path); /* it is gone, or whoever holds the lock is about to remove it */
            errno = problem;
        } else if (errno != EEXIST) {
            return NULL;
        }
    }
    return NULL;
}

void folder_remove(void) {
    if (own < 0) return;
    empty_and_remove(own, own_path);
    close(own);
    own = -1;
}

void folder_close_in_child(void) {
    if (own >= 0) close(own);
}
