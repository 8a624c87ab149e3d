/* Stands in for the Python that the extension starts: has a process forked off one that has imported everything already,
   with this one's streams, folder, mask, arguments and environment, and ends as that ends; see warm.py.
   Usage: warm_client SOCKET PYTHON ARGUMENT... */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Whether a new Python would be just like the one that is there: a command of awsdirenv that leaves nothing behind, no
   terminal, and no variable that counts from a process's start only. */
static int is_plain(int count, char **arguments) {
  if (count < 8 || strcmp(arguments[3], "-I") || strcmp(arguments[4], "-c"))
    return 0;
  if (strcmp(arguments[7], "load") && strcmp(arguments[7], "look"))
    return 0;
  for (int stream = 0; stream < 3; stream++)
    if (fcntl(stream, F_GETFD) < 0 || isatty(stream))
      return 0;
  for (char **variable = environ; *variable; variable++)
    for (const char **name = (const char *[]){"LC_", "LANGUAGE=", "LD_", "PYTHON", "TZ=", NULL}; *name; name++)
      if (!strncmp(*variable, *name, strlen(*name)))
        return 0;
  const char *language = getenv("LANG");
  return language && !strcmp(language, "C.UTF-8");
}

static void add(FILE *request, char **texts, int count) {
  for (int i = 0; i < count; i++)
    fwrite(texts[i], 1, strlen(texts[i]) + 1, request);
}

static int ask(const char *path, int count, char **arguments) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int streams[4] = {0, 1, 2, open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)}, status;
  char *text, control[CMSG_SPACE(sizeof streams)] = "";
  size_t size;
  int variables = 0, server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (streams[3] < 0 || connect(server, (struct sockaddr *)&address, sizeof address))
    return -1;
  FILE *request = open_memstream(&text, &size);
  mode_t mask = umask(0);
  fprintf(request, "%o%c%d%c", mask, 0, count, 0);
  while (environ[variables])
    variables++;
  add(request, arguments, count);
  add(request, environ, variables);
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
  if (sendmsg(server, &message, MSG_NOSIGNAL) != sizeof length)
    return -1;
  for (size_t sent = 0; sent < size;) {
    ssize_t more = send(server, text + sent, size - sent, MSG_NOSIGNAL);
    if (more < 0)
      return -1;
    sent += (size_t)more;
  }
  for (int i = 0; i < 3; i++)
    close(i); /* the other process holds them now, and who waits for their end waits for its end */
  return recv(server, &status, sizeof status, MSG_WAITALL) == sizeof status ? status : -1;
}

int main(int count, char **arguments) {
  if (!is_plain(count, arguments)) {
    execv(arguments[2], arguments + 2);
    return 126;
  }
  int status = ask(arguments[1], count - 7, arguments + 7);
  if (status == -1)
    return 70;
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  return 70;
}
