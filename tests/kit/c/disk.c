// Runs a program and lets something befall one of its changes to files below a folder.
//
//   disk FOLDER FATE N REPORT PROGRAM ARGUMENT...
//
// Changes are the system calls that make, lengthen, rename, link or sync files. FATE says what
// happens at the N-th: `none`, `once` (it fails with ENOSPC), `full` (it and all after it fail
// so), `kill` (the program is killed instead). How many there were is written to REPORT.
//
// seccomp_unotify(2): the kernel asks this program before each such call, whichever thread makes
// it and however it is made. Neither root nor a file system of its own is needed.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What a call's argument says about the file: a descriptor, a path, a path after a folder's
// descriptor, or the path of an open, with the flags behind it.
enum kind { FD, PATH, PATH_AT, OPEN_AT };

static const struct { int number; enum kind kind; } calls[] = {
    {SYS_openat, OPEN_AT},      {SYS_write, FD},         {SYS_pwrite64, FD},
    {SYS_writev, FD},           {SYS_pwritev, FD},       {SYS_pwritev2, FD},
    {SYS_ftruncate, FD},        {SYS_fallocate, FD},     {SYS_fsync, FD},
    {SYS_fdatasync, FD},        {SYS_truncate, PATH},    {SYS_mkdirat, PATH_AT},
    {SYS_linkat, PATH_AT},      {SYS_renameat2, PATH_AT},
#ifdef SYS_renameat
    {SYS_renameat, PATH_AT},
#endif
#ifdef SYS_rename
    {SYS_rename, PATH},         {SYS_mkdir, PATH},       {SYS_link, PATH},
#endif
};
#define CALLS (sizeof calls / sizeof *calls)

static void die(const char *what) {
    perror(what);
    exit(125);
}

static int filter(void) {
    struct sock_filter code[CALLS + 3];
    size_t at = 0;
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS; i++)
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, CALLS - i, 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog program = {.len = at, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) die("no_new_privs");
    int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0) die("seccomp");
    return listener;
}

// The message has one byte, and room for one descriptor.
struct parcel {
    char byte;
    struct iovec bytes;
    union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr aligned; } control;
    struct msghdr message;
};

static struct msghdr *parcel(struct parcel *p) {
    memset(p, 0, sizeof *p);
    p->bytes = (struct iovec){&p->byte, 1};
    p->message = (struct msghdr){.msg_iov = &p->bytes, .msg_iovlen = 1,
        .msg_control = p->control.room, .msg_controllen = sizeof p->control.room};
    return &p->message;
}

static void hand_over(int socket, int fd) {
    struct parcel p;
    struct msghdr *message = parcel(&p);
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    if (sendmsg(socket, message, 0) != 1) die("sendmsg");
}

static int take(int socket) {
    struct parcel p;
    struct msghdr *message = parcel(&p);
    int fd;
    if (recvmsg(socket, message, 0) != 1 || !CMSG_FIRSTHDR(message)) die("recvmsg");
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(message)), sizeof fd);
    return fd;
}

static void name_of_fd(pid_t pid, int fd, char *name, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
    ssize_t length = readlink(link, name, size - 1);
    name[length > 0 ? length : 0] = 0;
}

static void name_at(pid_t pid, off_t address, char *name, size_t size) {
    char memory[64];
    snprintf(memory, sizeof memory, "/proc/%d/mem", pid);
    int fd = open(memory, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : pread(fd, name, size - 1, address);
    name[length > 0 ? length : 0] = 0;
    if (fd >= 0) close(fd);
}

// Whether the call changes a file below the folder; relative paths are taken to be there.
static int counts(const struct seccomp_notif *asked, const char *folder) {
    const __u64 *args = asked->data.args;
    char name[4096];
    size_t call = 0;
    while (call < CALLS && calls[call].number != asked->data.nr) call++;
    switch (call < CALLS ? calls[call].kind : FD) {
    case FD: name_of_fd(asked->pid, args[0], name, sizeof name); break;
    case PATH: name_at(asked->pid, args[0], name, sizeof name); break;
    case OPEN_AT: if (!(args[2] & (O_CREAT | O_TRUNC))) return 0; /* fall through */
    case PATH_AT: name_at(asked->pid, args[1], name, sizeof name); break;
    }
    return !strncmp(name, folder, strlen(folder)) || (name[0] != '/' && !strchr(name, ':'));
}

int main(int argc, char **argv) {
    if (argc < 6) return 125;
    const char *folder = argv[1], *fate = argv[2];
    long at = atol(argv[3]), count = 0;
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets)) die("socketpair");
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        hand_over(sockets[1], filter());
        execvp(argv[5], argv + 5);
        _exit(125);
    }
    close(sockets[1]);
    int listener = take(sockets[0]);
    for (;;) {
        struct pollfd wait = {.fd = listener, .events = POLLIN};
        if (poll(&wait, 1, -1) < 0 && errno == EINTR) continue;
        if (!(wait.revents & POLLIN)) break;
        struct seccomp_notif asked;
        memset(&asked, 0, sizeof asked);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked)) continue;
        struct seccomp_notif_resp answer = {.id = asked.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        if (counts(&asked, folder)) {
            count++;
            if (!strcmp(fate, "kill") && count == at) kill(child, SIGKILL);
            if ((!strcmp(fate, "once") && count == at) || (!strcmp(fate, "full") && count >= at)) {
                answer.flags = 0;
                answer.error = -ENOSPC;
            }
        }
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    int status;
    if (waitpid(child, &status, 0) != child) die("waitpid");
    FILE *report = fopen(argv[4], "w");
    if (!report || fprintf(report, "%ld\n", count) < 0 || fclose(report)) die("report");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
