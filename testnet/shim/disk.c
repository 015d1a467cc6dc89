/* A disk that fails, fills up, and forgets what was not synced: for one process, below one folder.
 *
 * Built at run time (testnet/src/shim.rs) and put before glibc with LD_PRELOAD. It takes the place of the
 * C functions that change files, and passes them on as system calls. 64-bit Linux.
 *
 *   REEVE_DISK_FOLDER   the folder, absolute, without links in it; files elsewhere are left alone
 *   REEVE_DISK_CONTROL  a file that says what goes wrong; read again before every call. Lines:
 *                         write N ERROR once|on   the N-th write fails: that one, or from it on
 *                         sync N ERROR once|on    the same for syncs
 *                         space BYTES             so many bytes more can be allocated, then ENOSPC;
 *                                                 what is removed counts again, and statvfs says it
 *                       ERROR is EIO, ENOSPC, EDQUOT or EROFS. Whenever the text changes, counting begins
 *                       anew: an empty file heals the disk. A write is whatever changes a file or a
 *                       folder; a sync is fsync, fdatasync or sync_file_range.
 *   REEVE_DISK_JOURNAL  a file outside of the folder, to which every change and every sync is appended in
 *                       their order, and what the process says on its standard output among them: what
 *                       it acknowledged before which sync. testnet/src/stores/journal.rs reads it and
 *                       makes of it the images that a power loss could have left.
 *
 * Not seen: mmap, io_uring, fallocate, links. With a journal, a shared writable mapping of a file in the
 * folder ends the process, so that a journal is never silently short. Copies by the kernel (copy_file_range,
 * sendfile) are refused as if the file system could not do them: the caller then writes, and that is seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define CONTROL_BYTES 512
#define BLOCK 4096 /* what a file system allocates at a time */

/* Held over each call and its line in the journal, so that the journal has the order of the calls. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *control, *journal_path;
static size_t folder_length;
static int journal = -1;

__attribute__((constructor)) static void start(void) {
    folder = getenv("REEVE_DISK_FOLDER");
    control = getenv("REEVE_DISK_CONTROL");
    journal_path = getenv("REEVE_DISK_JOURNAL");
    folder_length = folder ? strlen(folder) : 0;
    if (folder && journal_path)
        journal = syscall(SYS_openat, AT_FDCWD, journal_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void give_up(const char *why) {
    syscall(SYS_write, 2, why, strlen(why));
    abort();
}

/* ---- which files ---- */

/* What follows the folder in `path` ("" for the folder itself); NULL if it is elsewhere. */
static const char *below(const char *path) {
    if (!folder || strncmp(path, folder, folder_length) != 0) return NULL;
    if (path[folder_length] == '/') return path + folder_length + 1;
    return path[folder_length] == 0 ? path + folder_length : NULL;
}

/* The path of an open file, as the kernel knows it: also after a rename. */
static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_BYTES - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

static int ours(int fd) {
    char path[PATH_BYTES];
    int error = errno, found = folder && path_of(fd, path) && below(path);
    errno = error;
    return found;
}

/* A path given to a call, made absolute. */
static void absolute(int at, const char *path, char *out) {
    char base[PATH_BYTES] = "";
    if (path[0] == '/') {
        snprintf(out, PATH_BYTES, "%s", path);
        return;
    }
    if (at == AT_FDCWD) {
        if (syscall(SYS_getcwd, base, sizeof base) < 0) base[0] = 0;
    } else if (!path_of(at, base)) {
        base[0] = 0;
    }
    if (snprintf(out, PATH_BYTES, "%s/%s", base, path) >= PATH_BYTES) out[0] = 0;
}

static uint64_t inode_at(const char *path) {
    struct stat found;
    return fstatat(AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW) == 0 ? found.st_ino : 0;
}

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 ? found.st_ino : 0;
}

/* ---- the journal: a kind, three numbers (native byte order), and bytes ---- */

struct entry {
    uint64_t kind, inode, at, bytes;
};

static void note(char kind, uint64_t inode, uint64_t at, const void *bytes, size_t count) {
    if (journal < 0) return;
    int error = errno;
    struct entry entry = {(uint64_t)kind, inode, at, count};
    struct iovec parts[2] = {{&entry, sizeof entry}, {(void *)bytes, count}};
    if (syscall(SYS_writev, journal, parts, 2) != (long)(sizeof entry + count))
        give_up("disk shim: the journal could not be written\n");
    errno = error;
}

static void note_path(char kind, uint64_t inode, const char *path) {
    note(kind, inode, 0, path, strlen(path));
}

/* ---- what goes wrong ---- */

struct fault {
    long at; /* which call; 0: none */
    int error, on;
    long seen; /* calls since the text changed */
};

static struct fault write_fault, sync_fault;
static long long space; /* bytes that can be allocated yet; below 0: without end */
static char text[CONTROL_BYTES];

static int error_named(const char *name) {
    if (!strcmp(name, "ENOSPC")) return ENOSPC;
    if (!strcmp(name, "EDQUOT")) return EDQUOT;
    if (!strcmp(name, "EROFS")) return EROFS;
    return EIO;
}

static void read_control(void) {
    static int begun;
    char now[CONTROL_BYTES] = "", name[16], error[16], how[16];
    int fd = control ? syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        ssize_t length = syscall(SYS_read, fd, now, sizeof now - 1);
        now[length > 0 ? length : 0] = 0;
        syscall(SYS_close, fd);
    }
    if (begun && !strcmp(now, text)) return;
    begun = 1;
    memcpy(text, now, sizeof text);
    memset(&write_fault, 0, sizeof write_fault);
    memset(&sync_fault, 0, sizeof sync_fault);
    space = -1;
    char *rest = now, *line;
    while ((line = strsep(&rest, "\n"))) {
        long number = 0;
        if (sscanf(line, "%15s %ld %15s %15s", name, &number, error, how) == 4) {
            struct fault fault = {number, error_named(error), !strcmp(how, "on"), 0};
            if (!strcmp(name, "write")) write_fault = fault;
            if (!strcmp(name, "sync")) sync_fault = fault;
        } else if (sscanf(line, "space %ld", &number) == 1) {
            space = number;
        }
    }
}

/* Whether this call fails; errno says how. */
static int fails(struct fault *fault) {
    fault->seen++;
    if (!fault->at || fault->seen < fault->at || (!fault->on && fault->seen > fault->at)) return 0;
    errno = fault->error;
    return 1;
}

/* How many of the bytes to be written find room; those that are allocated already always do. */
static size_t room(int fd, uint64_t from, size_t count) {
    if (space < 0 || count == 0) return count;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int look = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    uint64_t end = from + count, at = from;
    while (at < end) {
        uint64_t block = at / BLOCK * BLOCK, next = block + BLOCK;
        off_t data = look < 0 ? -1 : lseek(look, (off_t)block, SEEK_DATA);
        int allocated = data >= 0 && (uint64_t)data < next;
        if (!allocated && space < BLOCK) break;
        if (!allocated) space -= BLOCK;
        at = next;
    }
    if (look >= 0) syscall(SYS_close, look);
    return at >= end ? count : at - from;
}

/* What a call gave back to the disk can be allocated again. */
static void freed(uint64_t bytes) {
    if (space >= 0) space += (long long)bytes;
}

static uint64_t allocated_by(const char *path) {
    struct stat found;
    int there = fstatat(AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW) == 0 && found.st_nlink < 2;
    return there ? (uint64_t)found.st_blocks * 512 : 0;
}

static uint64_t allocated_to(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 ? (uint64_t)found.st_blocks * 512 : 0;
}

/* A failed write: the journal says so, so that a trial knows that the fault was met. */
static int refused(uint64_t inode) {
    note('E', inode, (uint64_t)errno, "", 0);
    return -1;
}

/* ---- the calls ---- */

/* Begins a call that changes files; 0 if it must fail, with the lock given back. */
static int may_change(uint64_t inode) {
    pthread_mutex_lock(&lock);
    read_control();
    if (!fails(&write_fault)) return 1;
    refused(inode);
    pthread_mutex_unlock(&lock);
    return 0;
}

/* `from` below 0: at the file's own place. */
static ssize_t change(int fd, const void *bytes, size_t count, off_t from) {
    uint64_t inode = inode_of(fd);
    if (!may_change(inode)) return -1;
    int flags = fcntl(fd, F_GETFL);
    off_t at = from >= 0 ? from : lseek(fd, 0, flags & O_APPEND ? SEEK_END : SEEK_CUR);
    size_t fits = room(fd, (uint64_t)at, count);
    ssize_t done = -1;
    if (count > 0 && fits == 0) {
        errno = ENOSPC;
        refused(inode);
    } else {
        done = from >= 0 ? syscall(SYS_pwrite64, fd, bytes, fits, from) : syscall(SYS_write, fd, bytes, fits);
        if (done > 0) note('W', inode, (uint64_t)at, bytes, (size_t)done);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (ours(fd)) return change(fd, bytes, count, -1);
    if (fd != 1 || journal < 0) return syscall(SYS_write, fd, bytes, count);
    pthread_mutex_lock(&lock);
    note('A', 0, 0, bytes, count);
    ssize_t done = syscall(SYS_write, fd, bytes, count);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t from) {
    return ours(fd) ? change(fd, bytes, count, from) : syscall(SYS_pwrite64, fd, bytes, count, from);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t from) {
    return pwrite64(fd, bytes, count, from);
}

/* The parts of a vector are written one by one; a caller must expect short writes anyway. */
static ssize_t change_parts(int fd, const struct iovec *parts, int count, off_t from) {
    ssize_t sum = 0;
    for (int i = 0; i < count; i++) {
        ssize_t done = change(fd, parts[i].iov_base, parts[i].iov_len, from < 0 ? from : from + sum);
        if (done < 0) return sum > 0 ? sum : done;
        sum += done;
        if ((size_t)done < parts[i].iov_len) break;
    }
    return sum;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    return ours(fd) ? change_parts(fd, parts, count, -1) : syscall(SYS_writev, fd, parts, count);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t from) {
    return ours(fd) ? change_parts(fd, parts, count, from) : syscall(SYS_pwritev, fd, parts, count, from, 0L);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t from) {
    return pwritev64(fd, parts, count, from);
}

int ftruncate64(int fd, off64_t length) {
    if (!ours(fd)) return syscall(SYS_ftruncate, fd, length);
    uint64_t inode = inode_of(fd);
    if (!may_change(inode)) return -1;
    uint64_t before = allocated_to(fd);
    int done = syscall(SYS_ftruncate, fd, length);
    uint64_t after = allocated_to(fd);
    if (done == 0 && after < before) freed(before - after);
    if (done == 0) note('T', inode, (uint64_t)length, "", 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* A sync that fails leaves open what is on the disk, also after a later one that succeeds: 'F'. */
static int sync_by(long call, int fd, long a, long b, long c, char kind) {
    if (!ours(fd)) return syscall(call, fd, a, b, c);
    pthread_mutex_lock(&lock);
    read_control();
    int done = fails(&sync_fault) ? -1 : (int)syscall(call, fd, a, b, c);
    if (done != 0) note('F', inode_of(fd), (uint64_t)errno, "", 0);
    else if (kind) note(kind, inode_of(fd), 0, "", 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return sync_by(SYS_fsync, fd, 0, 0, 0, 'S'); }

int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd, 0, 0, 0, 'S'); }

/* Starts the writing of pages and asks the drive for nothing: it makes nothing durable. */
int sync_file_range(int fd, off64_t from, off64_t count, unsigned flags) {
    return sync_by(SYS_sync_file_range, fd, from, count, flags, 0);
}

static int open_by(int at, const char *path, int flags, mode_t mode) {
    char full[PATH_BYTES];
    absolute(at, path, full);
    const char *name = below(full);
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (!name || (!writes && !(flags & O_CREAT))) {
        int fd = syscall(SYS_openat, at, path, flags, mode);
        if (fd >= 0 && name) {
            pthread_mutex_lock(&lock);
            note_path('O', inode_of(fd), name);
            pthread_mutex_unlock(&lock);
        }
        return fd;
    }
    int creates = (flags & O_CREAT) && inode_at(full) == 0;
    if (creates || (flags & O_TRUNC)) {
        if (!may_change(0)) return -1;
    } else {
        pthread_mutex_lock(&lock);
        read_control();
    }
    int fd = -1;
    if (creates && space >= 0 && space < BLOCK) {
        errno = ENOSPC;
        refused(0);
    } else {
        fd = syscall(SYS_openat, at, path, flags, mode);
    }
    if (fd >= 0) note_path(creates ? 'C' : 'O', inode_of(fd), name);
    if (fd >= 0 && (flags & O_TRUNC)) note('T', inode_of(fd), 0, "", 0);
    pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_of(int flags, va_list rest) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                       \
    int name(const char *path, int flags, ...) {         \
        va_list rest;                                    \
        va_start(rest, flags);                           \
        mode_t mode = mode_of(flags, rest);              \
        va_end(rest);                                    \
        return open_by(AT_FDCWD, path, flags, mode);     \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                     \
    int name(int at, const char *path, int flags, ...) { \
        va_list rest;                                    \
        va_start(rest, flags);                           \
        mode_t mode = mode_of(flags, rest);              \
        va_end(rest);                                    \
        return open_by(at, path, flags, mode);           \
    }
OPENAT(openat)
OPENAT(openat64)

/* A change of names: `kind` with the name, and for a rename the new one after a zero byte. */
static int rename_by(int from_at, const char *from, int to_at, const char *to) {
    char old[PATH_BYTES], new[PATH_BYTES], both[2 * PATH_BYTES];
    absolute(from_at, from, old);
    absolute(to_at, to, new);
    if (!below(old) && !below(new)) return syscall(SYS_renameat2, from_at, from, to_at, to, 0);
    uint64_t inode = inode_at(old);
    if (!may_change(inode)) return -1;
    int done = syscall(SYS_renameat2, from_at, from, to_at, to, 0);
    if (done == 0 && below(old) && below(new)) {
        int length = snprintf(both, sizeof both, "%s%c%s", below(old), 0, below(new));
        note('R', inode, 0, both, (size_t)length);
    } else if (done == 0 && journal >= 0) {
        give_up("disk shim: a rename across the folder's border cannot be kept in the journal\n");
    }
    pthread_mutex_unlock(&lock);
    return done;
}

int rename(const char *from, const char *to) { return rename_by(AT_FDCWD, from, AT_FDCWD, to); }

int renameat(int from_at, const char *from, int to_at, const char *to) {
    return rename_by(from_at, from, to_at, to);
}

static int change_name(char kind, int at, const char *path, long call, long argument) {
    char full[PATH_BYTES];
    absolute(at, path, full);
    if (!below(full)) return syscall(call, at, path, argument);
    uint64_t inode = inode_at(full);
    if (!may_change(inode)) return -1;
    uint64_t held = kind == 'U' ? allocated_by(full) : 0;
    int done = syscall(call, at, path, argument);
    if (done == 0) freed(held);
    if (done == 0) note_path(kind, inode ? inode : inode_at(full), below(full));
    pthread_mutex_unlock(&lock);
    return done;
}

int unlink(const char *path) { return change_name('U', AT_FDCWD, path, SYS_unlinkat, 0); }

int unlinkat(int at, const char *path, int flags) { return change_name('U', at, path, SYS_unlinkat, flags); }

int rmdir(const char *path) { return change_name('U', AT_FDCWD, path, SYS_unlinkat, AT_REMOVEDIR); }

int mkdir(const char *path, mode_t mode) { return change_name('M', AT_FDCWD, path, SYS_mkdirat, (long)mode); }

/* ---- how much room there is ---- */

int statvfs64(const char *path, struct statvfs64 *out) {
    struct statfs64 {
        long type, block, blocks, free, available, files, free_files;
        int id[2];
        long name, fragment, flags, spare[4];
    } found;
    char full[PATH_BYTES];
    long done = syscall(SYS_statfs, path, &found);
    if (done < 0) return -1;
    memset(out, 0, sizeof *out);
    out->f_bsize = (unsigned long)found.block;
    out->f_frsize = (unsigned long)(found.fragment ? found.fragment : found.block);
    out->f_blocks = (fsblkcnt64_t)found.blocks;
    out->f_bfree = (fsblkcnt64_t)found.free;
    out->f_bavail = (fsblkcnt64_t)found.available;
    out->f_files = (fsfilcnt64_t)found.files;
    out->f_ffree = out->f_favail = (fsfilcnt64_t)found.free_files;
    out->f_namemax = (unsigned long)found.name;
    absolute(AT_FDCWD, path, full);
    if (!below(full)) return 0;
    pthread_mutex_lock(&lock);
    read_control();
    if (space >= 0 && (fsblkcnt64_t)space / out->f_frsize < out->f_bavail)
        out->f_bavail = (fsblkcnt64_t)space / out->f_frsize;
    pthread_mutex_unlock(&lock);
    return 0;
}

int statvfs(const char *path, struct statvfs *out) { return statvfs64(path, (struct statvfs64 *)out); }

/* ---- what would pass by the journal ---- */

void *mmap64(void *where, size_t length, int protection, int flags, int fd, off64_t from) {
    int writes = fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE);
    if (journal >= 0 && writes && ours(fd))
        give_up("disk shim: a file in the folder is written through a mapping\n");
    return (void *)syscall(SYS_mmap, where, length, protection, flags, fd, from);
}

void *mmap(void *where, size_t length, int protection, int flags, int fd, off_t from) {
    return mmap64(where, length, protection, flags, fd, from);
}

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t count, unsigned flags) {
    if (!ours(out)) return syscall(SYS_copy_file_range, in, in_at, out, out_at, count, flags);
    errno = EXDEV;
    return -1;
}

ssize_t sendfile64(int out, int in, off64_t *at, size_t count) {
    if (!ours(out)) return syscall(SYS_sendfile, out, in, at, count);
    errno = EINVAL;
    return -1;
}

ssize_t sendfile(int out, int in, off_t *at, size_t count) { return sendfile64(out, in, at, count); }
