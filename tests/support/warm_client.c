/* Stands in for a Python that runs awsdirenv: has a process forked off one that has imported everything, with this one's
   streams, folder, mask, signals, process group, terminal, arguments and environment, and ends as that ends; see warm.py.
   Usage: client PYTHON -I -c TEXT PACKAGE ARGUMENT... (as the extension starts us); called as PYTHON is, without that
   word; or, called awsdirenv or aws: ARGUMENT...
   FOLDER has the sockets, REAL is the folder of the programs that this stands for, and WALL is wall_clock.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char interpreter[] = PYTHON;
static volatile pid_t process; /* that does the work */

static int is_one_of(const char *word, const char **words) {
  while (*words && strcmp(word, *words))
    words++;
  return *words != NULL;
}

/* Whether a new Python would be just like the one that is there: a command of awsdirenv that ends by itself and leaves
   nothing behind (`look` needs the descriptors of who starts it), and no variable that counts from a process's start
   only, but for WALL, which is there already. */
static int is_plain(int is_command, int is_aws, int count, char **words) {
  if (is_aws) {
    for (int i = 0; i < count; i++)
      if (is_one_of(words[i], (const char *[]){"configure", "login", "sso", "help", "history", NULL}))
        return 0;
  } else if (count < 1 || (is_command ? is_one_of(words[0], (const char *[]){"exec", "timer", "demo", NULL})
                               : !is_one_of(words[0], (const char *[]){"load", "credential-process", "keys", NULL})))
    return 0;
  for (int stream = 0; stream < 3; stream++)
    if (fcntl(stream, F_GETFD) < 0)
      return 0;
  for (char **variable = environ; *variable; variable++)
    for (const char **name = (const char *[]){"LC_", "LANGUAGE=", "LD_", "PYTHON", NULL}; *name; name++)
      if (!strncmp(*variable, *name, strlen(*name)) && strcmp(*variable, "LD_PRELOAD=" WALL))
        return 0;
  const char *language = getenv("LANG");
  return language && !strcmp(language, "C.UTF-8");
}

/* Whether this process has the user, the mounts, the network, the rights and the limits of the server: see
   `_circumstances` in warm.py. */
static int is_alike(void) {
  char *text, link[2][64] = {"", ""}, line[256], rights[64] = "";
  size_t size;
  FILE *file = open_memstream(&text, &size);
  ssize_t mounts = readlink("/proc/self/ns/mnt", link[0], sizeof link[0] - 1);
  ssize_t network = readlink("/proc/self/ns/net", link[1], sizeof link[1] - 1);
  if (mounts < 0 || network < 0)
    return 0;
  FILE *status = fopen("/proc/self/status", "re");
  while (status && !*rights && fgets(line, sizeof line, status))
    sscanf(line, "CapEff: %63s", rights);
  if (status)
    fclose(status);
  fprintf(file, "%d %d %s %s %s", geteuid(), getegid(), link[0], link[1], rights);
  for (int resource = 0; resource < 16; resource++) {
    struct rlimit limit;
    getrlimit(resource, &limit);
    fprintf(file, " %lld", (long long)limit.rlim_cur);
  }
  fclose(file);
  return !strcmp(text, ALIKE);
}

static void add(FILE *request, char **texts, int count) {
  for (int i = 0; i < count; i++)
    fwrite(texts[i], 1, strlen(texts[i]) + 1, request);
}

/* Connects to the server of this session, or, where there is no terminal, to the one of all. */
static int connected(int is_aws) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(address.sun_path, sizeof address.sun_path, FOLDER "/session-%d", getsid(0));
  if (!is_aws && !connect(server, (struct sockaddr *)&address, sizeof address))
    return server;
  strcpy(address.sun_path, is_aws ? FOLDER "/aws" : FOLDER "/socket");
  return isatty(0) || isatty(1) || isatty(2) || open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0 || connect(server, (struct sockaddr *)&address, sizeof address) ? -1 : server;
}

/* What the terminal sends to the process group reaches the other process, too; what somebody sends to this one does not. */
static void pass_on(int number, siginfo_t *info, void *context) {
  int before = errno;
  if (info->si_code <= 0)
    kill(process, number);
  errno = before;
}

static int ask(int server, int count, char **words) {
  int streams[4] = {0, 1, 2, open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)}, status, number;
  char *text, control[CMSG_SPACE(sizeof streams)] = "";
  size_t size;
  sigset_t blocked;
  unsigned long ignored = 0, held = 0;
  FILE *request = open_memstream(&text, &size);
  mode_t mask = umask(0);
  umask(mask);
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  for (number = 1; number < 32; number++) {
    struct sigaction action;
    sigaction(number, NULL, &action);
    ignored |= (unsigned long)(action.sa_handler == SIG_IGN) << number;
    held |= (unsigned long)sigismember(&blocked, number) << number;
  }
  fprintf(request, "%o%c%lx%c%lx%c%d%c", mask, 0, ignored, 0, held, 0, count, 0);
  add(request, words, count);
  for (count = 0; environ[count];)
    count++;
  add(request, environ, count);
  fclose(request);
  unsigned length = (unsigned)size;
  struct iovec head = {&length, sizeof length};
  struct msghdr message = {
      .msg_iov = &head, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *handed = CMSG_FIRSTHDR(&message);
  handed->cmsg_level = SOL_SOCKET;
  handed->cmsg_type = SCM_RIGHTS;
  handed->cmsg_len = CMSG_LEN(sizeof streams);
  memcpy(CMSG_DATA(handed), streams, sizeof streams);
  if (streams[3] < 0 || sendmsg(server, &message, MSG_NOSIGNAL) != sizeof length)
    return -1;
  for (size_t sent = 0; sent < size;) {
    ssize_t more = send(server, text + sent, size - sent, MSG_NOSIGNAL);
    if (more < 0)
      return -1;
    sent += (size_t)more;
  }
  if (recv(server, (void *)&process, sizeof process, MSG_WAITALL) != sizeof process)
    return -1;
  char name[16];
  snprintf(name, sizeof name, "warm %d", process);
  prctl(PR_SET_NAME, name); /* so that `children` in shells.py knows what this stands for */
  struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};
  for (const int *one = (const int[]){SIGHUP, SIGINT, SIGQUIT, SIGTERM, 0}; *one; one++)
    if (!(ignored >> *one & 1))
      sigaction(*one, &action, NULL);
  for (int i = 0; i < 3; i++)
    close(i); /* the other process holds them now, and who waits for their end waits for its end */
  return recv(server, &status, sizeof status, MSG_WAITALL) == sizeof status ? status : -1;
}

int main(int count, char **arguments) {
  const char *slash = strrchr(arguments[0], '/'), *name = slash ? slash + 1 : arguments[0];
  int is_aws = !strcmp(name, "aws"), is_command = is_aws || !strcmp(name, "awsdirenv"), status, server = -1;
  char *words[count + 2]; /* of the real command */
  int before = is_command ? 2 : 5, is_ours = 1;
  if (is_command) {
    words[0] = REAL "/python";
    words[1] = is_aws ? REAL "/aws" : REAL "/awsdirenv";
    memcpy(words + 2, arguments + 1, (size_t)count-- * sizeof *words);
    count += 2;
  } else {
    memcpy(words, arguments + 1, (size_t)count-- * sizeof *words);
    if (strcmp(name, "client")) { /* the interpreter's own name */
      memcpy(words + 1, arguments + 1, (size_t)++count * sizeof *words);
      words[0] = interpreter;
    }
    is_ours = count > 5 && !strcmp(words[1], "-I") && !strcmp(words[2], "-c");
  }
  if (is_ours && is_plain(is_command, is_aws, count - before, words + before) && is_alike())
    server = connected(is_aws);
  if (server < 0) {
    const char *program = words[is_command];
    if (words[0] == interpreter)
      words[0] = arguments[0];
    else if (is_ours && !is_command && count > before && !strcmp(words[before], "timer"))
      words[0] = FOLDER "/venv/bin/python3"; /* so that this stands for the Python that it starts, too */
    execv(program, words + is_command);
    return 126;
  }
  status = ask(server, count, words);
  if (status == -1)
    return 70;
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  return 70;
}
