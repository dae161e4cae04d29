/*
 * A machine that fails when it is told to: preloaded into a daemon (LD_PRELOAD), it lets syncs, writes and opens fail or take long, and
 * the wall clock say another time. What it does is in a file that both sides map or write: `faulty-machine.ts` is the other side.
 * Only files under $FAULTY_DISK are concerned; of the clocks only the one that people set. $FAULTY_RESOLV_CONF stands for /etc/resolv.conf.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* 64-bit numbers in this order, as faulty-machine.ts writes them. */
struct control {
  int64_t sync_errno;   /* fsync and fdatasync fail with this */
  int64_t sync_ms;      /* ... or take this long */
  int64_t write_errno;  /* writes fail with this */
  int64_t open_errno;   /* opening for writing fails with this */
  int64_t clock_ms;     /* the wall clock is ahead by this */
  int64_t only;         /* 1: files whose name ends in .sqlite only; 2: those of large bodies, and their folder, only;
                           3: the tables of PostgreSQL only */
  int64_t past_bytes;   /* write_errno concerns only what a file has past so many bytes; what comes before is written */
  int64_t hits;         /* written here: how many calls were made to fail */
};

static struct control *control;
static const char *disk;

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("FAULTY_MACHINE");
  disk = getenv("FAULTY_DISK");
  if (path == NULL || disk == NULL) return;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) control = page;
}

static int64_t read_control(const int64_t *field) { return __atomic_load_n(field, __ATOMIC_ACQUIRE); }

static int is_ours(const char *path) { return strncmp(path, disk, strlen(disk)) == 0; }

static int path_of(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_ours(path);
}

static int is_meant(const char *path) {
  size_t length = strlen(path);
  switch (read_control(&control->only)) {
    case 1: return length >= 7 && strcmp(path + length - 7, ".sqlite") == 0;
    case 2: return strstr(path, ".sqlite-bodies") != NULL;
    case 3: return strstr(path, "/data/base/") != NULL;
    default: return 1;
  }
}

static int hit(int64_t code) {
  __atomic_fetch_add(&control->hits, 1, __ATOMIC_RELAXED);
  errno = (int)code;
  return -1;
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, name)

static int64_t sync_fault(int fd) {
  char path[PATH_MAX];
  if (control == NULL) return 0;
  int64_t code = read_control(&control->sync_errno), ms = read_control(&control->sync_ms);
  if ((code == 0 && ms == 0) || !path_of(fd, path, sizeof path)) return 0;
  if (!is_meant(path)) return 0;
  if (ms > 0) {
    struct timespec pause = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
  }
  return code;
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  int64_t code = sync_fault(fd);
  return code ? hit(code) : real(fd);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  int64_t code = sync_fault(fd);
  return code ? hit(code) : real(fd);
}

static int64_t write_fault(int fd) {
  char path[PATH_MAX];
  if (control == NULL) return 0;
  int64_t code = read_control(&control->write_errno);
  return code != 0 && path_of(fd, path, sizeof path) && is_meant(path) ? code : 0;
}

/* As on a disk that becomes full in the middle: what still has room is written, and only the call after that fails. */
static size_t room(off_t at, size_t bytes) {
  off_t past = read_control(&control->past_bytes);
  if (at >= past) return 0;
  return (off_t)bytes < past - at ? bytes : (size_t)(past - at);
}

#define WRITER(type, name, params, args, ...) \
  type name params { \
    REAL(type, #name, __VA_ARGS__); \
    int64_t code = write_fault(fd); \
    return code ? hit(code) : real args; \
  }

WRITER(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n), int, const void *, size_t)
WRITER(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), int, const struct iovec *, int)
WRITER(int, ftruncate, (int fd, off_t n), (fd, n), int, off_t)
WRITER(int, ftruncate64, (int fd, off64_t n), (fd, n), int, off64_t)

#define WRITER_AT(name, offset) \
  ssize_t name(int fd, const void *bytes, size_t n, offset at) { \
    REAL(ssize_t, #name, int, const void *, size_t, offset); \
    int64_t code = write_fault(fd); \
    if (code == 0) return real(fd, bytes, n, at); \
    size_t fits = room(at, n); \
    return fits > 0 ? real(fd, bytes, fits, at) : hit(code); \
  }

/* Of several pieces only the first is written then: callers have to go on after less than they asked for anyway. */
#define VECTOR_WRITER_AT(name, offset) \
  ssize_t name(int fd, const struct iovec *pieces, int n, offset at) { \
    REAL(ssize_t, #name, int, const struct iovec *, int, offset); \
    int64_t code = write_fault(fd); \
    if (code == 0) return real(fd, pieces, n, at); \
    struct iovec first = {pieces[0].iov_base, room(at, pieces[0].iov_len)}; \
    return first.iov_len > 0 ? real(fd, &first, 1, at) : hit(code); \
  }

WRITER_AT(pwrite, off_t)
WRITER_AT(pwrite64, off64_t)
VECTOR_WRITER_AT(pwritev, off_t)
VECTOR_WRITER_AT(pwritev64, off64_t)

/* Unlike the others these answer with the number of the error. */
#define ALLOCATOR(name, offset) \
  int name(int fd, offset from, offset n) { \
    REAL(int, #name, int, offset, offset); \
    int64_t code = write_fault(fd); \
    if (code == 0) return real(fd, from, n); \
    hit(code); \
    return (int)code; \
  }

ALLOCATOR(posix_fallocate, off_t)
ALLOCATOR(posix_fallocate64, off64_t)

static int64_t open_fault(const char *path, int flags) {
  if (control == NULL) return 0;
  int64_t code = read_control(&control->open_errno);
  return code != 0 && (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0 && is_ours(path) && is_meant(path) ? code : 0;
}

#define OPENER(name) \
  int name(const char *path, int flags, ...) { \
    REAL(int, #name, const char *, int, ...); \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    int64_t code = open_fault(path, flags); \
    return code ? hit(code) : real(path, flags, mode); \
  }

OPENER(open)
OPENER(open64)

static int64_t clock_ahead(void) { return control == NULL ? 0 : read_control(&control->clock_ms); }

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(int, "clock_gettime", clockid_t, struct timespec *);
  int result = real(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += clock_ahead() / 1000;
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  REAL(int, "gettimeofday", struct timeval *, void *);
  int result = real(now, zone);
  if (result == 0) now->tv_sec += clock_ahead() / 1000;
  return result;
}

time_t time(time_t *at) {
  REAL(time_t, "time", time_t *);
  time_t now = real(NULL) + clock_ahead() / 1000;
  if (at != NULL) *at = now;
  return now;
}

#define STREAM_OPENER(name) \
  FILE *name(const char *restrict path, const char *restrict mode) { \
    REAL(FILE *, #name, const char *, const char *); \
    const char *other = getenv("FAULTY_RESOLV_CONF"); \
    return real(other != NULL && strcmp(path, "/etc/resolv.conf") == 0 ? other : path, mode); \
  }

STREAM_OPENER(fopen)
STREAM_OPENER(fopen64)
