/* A disk with faults, laid under a program by LD_PRELOAD: it stands between the program and the C library's writes and syncs
 * of the files below one directory. All that it needs is in the environment:
 *
 *   FAULTY_DISK_DIRECTORY   the directory, absolute, without a slash at its end
 *   FAULTY_DISK_FAIL_AT     the write or sync that fails with EIO, counted from 1; only that one
 *   FAULTY_DISK_FAILED      a file that is made when it has failed, and says which call on which file that was
 *   FAULTY_DISK_UNDO        a file that takes a record before each change and after each sync, from which `power.rs` undoes
 *                           what a power cut would have lost
 *   FAULTY_DISK_CUT_AT      the sync, counted from 1, before which the program is killed
 *   FAULTY_DISK_NO_SYNC     if set, syncs are not recorded, as if the disk had lied about them
 *
 * A record is a struct record and `bytes` bytes: for a change, what stood at `offset` before it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct record {
    uint64_t kind; /* 'W' a write, 'T' another length, 'S' a sync, 'C' a new file */
    uint64_t inode;
    uint64_t parent; /* of a new file, the directory that names it */
    uint64_t offset;
    uint64_t length; /* of the change, in bytes from the offset; past the old size there was nothing */
    uint64_t old_size;
    uint64_t bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *directory, *failed_path;
static long fail_at, operations, cut_at, syncs;
static int undo = -1, no_sync;

__attribute__((constructor)) static void begin(void) {
    directory = getenv("FAULTY_DISK_DIRECTORY");
    failed_path = getenv("FAULTY_DISK_FAILED");
    no_sync = getenv("FAULTY_DISK_NO_SYNC") != NULL;
    if (getenv("FAULTY_DISK_FAIL_AT"))
        fail_at = atol(getenv("FAULTY_DISK_FAIL_AT"));
    if (getenv("FAULTY_DISK_CUT_AT"))
        cut_at = atol(getenv("FAULTY_DISK_CUT_AT"));
    if (getenv("FAULTY_DISK_UNDO"))
        undo = (int)syscall(SYS_openat, AT_FDCWD, getenv("FAULTY_DISK_UNDO"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void *next(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        abort();
    return function;
}

static int below(const char *path) {
    size_t length = directory ? strlen(directory) : 0;
    return length && strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* The path of an open file, or an empty one. */
static const char *path_of(int fd, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

static int ours(int fd) {
    char path[PATH_MAX];
    return directory && below(path_of(fd, path));
}

/* Counts a write or a sync, and says whether it is the one that fails. */
static int fails(const char *call, int fd) {
    char path[PATH_MAX];
    if (__sync_add_and_fetch(&operations, 1) != fail_at)
        return 0;
    if (failed_path) {
        int failed = (int)syscall(SYS_openat, AT_FDCWD, failed_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        dprintf(failed, "%s %s", call, path_of(fd, path));
        syscall(SYS_close, failed);
    }
    errno = EIO;
    return 1;
}

static void put(struct record *record, const void *bytes) {
    struct iovec parts[] = {{record, sizeof *record}, {(void *)bytes, record->bytes}};
    if (syscall(SYS_writev, undo, parts, record->bytes ? 2 : 1) != (long)(sizeof *record + record->bytes))
        abort();
}

static void put_event(uint64_t kind, int fd, uint64_t parent) {
    struct stat stat;
    if (undo < 0 || fstat(fd, &stat))
        return;
    struct record record = {.kind = kind, .inode = stat.st_ino, .parent = parent};
    put(&record, NULL);
}

/* Records what a change of `length` bytes at `offset` is about to overwrite. */
static void put_change(uint64_t kind, int fd, uint64_t offset, uint64_t length) {
    struct stat stat;
    if (undo < 0 || fstat(fd, &stat) || !S_ISREG(stat.st_mode))
        return;
    uint64_t size = (uint64_t)stat.st_size, end = offset + length < size ? offset + length : size;
    struct record record = {.kind = kind, .inode = stat.st_ino, .offset = offset, .length = length, .old_size = size,
                            .bytes = end > offset ? end - offset : 0};
    char *old = malloc(record.bytes + 1), link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    /* The program's own descriptor may be for writing only. */
    int reader = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
    for (uint64_t got = 0; got < record.bytes;) {
        ssize_t more = pread(reader, old + got, record.bytes - got, (off_t)(offset + got));
        if (more <= 0)
            abort();
        got += (uint64_t)more;
    }
    syscall(SYS_close, reader);
    put(&record, old);
    free(old);
}

static uint64_t place(int fd) {
    struct stat stat;
    if (fcntl(fd, F_GETFL) & O_APPEND)
        return fstat(fd, &stat) ? 0 : (uint64_t)stat.st_size;
    off_t offset = lseek(fd, 0, SEEK_CUR);
    return offset < 0 ? 0 : (uint64_t)offset;
}

/* The call, unless it is the one that fails; one at a time while records are kept. */
#define WITH_FAULTS(type, fd, before, call, after)                                                                             \
    if (!ours(fd))                                                                                                             \
        return call;                                                                                                           \
    if (fails(__func__, fd))                                                                                                   \
        return -1;                                                                                                             \
    if (undo < 0)                                                                                                              \
        return call;                                                                                                           \
    pthread_mutex_lock(&lock);                                                                                                 \
    before;                                                                                                                    \
    type result = call;                                                                                                        \
    int error = errno;                                                                                                         \
    after;                                                                                                                     \
    pthread_mutex_unlock(&lock);                                                                                               \
    errno = error;                                                                                                             \
    return result

ssize_t write(int fd, const void *bytes, size_t length) {
    ssize_t (*real)(int, const void *, size_t) = next("write");
    WITH_FAULTS(ssize_t, fd, put_change('W', fd, place(fd), length), real(fd, bytes, length), (void)0);
}

static uint64_t total(const struct iovec *parts, int count) {
    uint64_t length = 0;
    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    return length;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    ssize_t (*real)(int, const struct iovec *, int) = next("writev");
    WITH_FAULTS(ssize_t, fd, put_change('W', fd, place(fd), total(parts, count)), real(fd, parts, count), (void)0);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = next("pwrite64");
    WITH_FAULTS(ssize_t, fd, put_change('W', fd, (uint64_t)offset, length), real(fd, bytes, length, offset), (void)0);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

int ftruncate64(int fd, off64_t length) {
    int (*real)(int, off64_t) = next("ftruncate64");
    struct stat stat;
    uint64_t size = fstat(fd, &stat) ? 0 : (uint64_t)stat.st_size;
    uint64_t low = size < (uint64_t)length ? size : (uint64_t)length, high = size < (uint64_t)length ? (uint64_t)length : size;
    WITH_FAULTS(int, fd, put_change('T', fd, low, high - low), real(fd, length), (void)0);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static void maybe_cut(void) {
    if (++syncs == cut_at)
        syscall(SYS_kill, getpid(), SIGKILL);
}

static int put_sync(int fd, int result) {
    if (result == 0 && !no_sync)
        put_event('S', fd, 0);
    return result;
}

int fsync(int fd) {
    int (*real)(int) = next("fsync");
    WITH_FAULTS(int, fd, maybe_cut(), put_sync(fd, real(fd)), (void)0);
}

int fdatasync(int fd) {
    int (*real)(int) = next("fdatasync");
    WITH_FAULTS(int, fd, maybe_cut(), put_sync(fd, real(fd)), (void)0);
}

/* A file that is opened is seen so as to know new ones, and ones that are cut to nothing. */
static int opened(int at, const char *path, int flags, mode_t mode) {
    if (undo < 0 || !(flags & (O_CREAT | O_TRUNC)) || !below(path))
        return (int)syscall(SYS_openat, at, path, flags, mode);
    struct stat stat;
    pthread_mutex_lock(&lock);
    int was = fstatat(at, path, &stat, 0) == 0;
    if (was && flags & O_TRUNC) {
        int fd = (int)syscall(SYS_openat, at, path, O_WRONLY | O_CLOEXEC, 0);
        put_change('T', fd, 0, (uint64_t)stat.st_size);
        syscall(SYS_close, fd);
    }
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    int error = errno;
    if (fd >= 0 && !was) {
        char parent[PATH_MAX];
        snprintf(parent, sizeof parent, "%s", path);
        *strrchr(parent, '/') = 0;
        put_event('C', fd, fstatat(at, parent, &stat, 0) ? 0 : stat.st_ino);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define MODE(flags)                                                                                                            \
    mode_t mode = 0;                                                                                                           \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                                     \
        va_list rest;                                                                                                          \
        va_start(rest, flags);                                                                                                 \
        mode = va_arg(rest, mode_t);                                                                                           \
        va_end(rest);                                                                                                          \
    }

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return opened(AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    MODE(flags)
    return opened(AT_FDCWD, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    MODE(flags)
    return opened(at, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE(flags)
    return opened(at, path, flags, mode);
}
