/* A wall clock that a test sets, for every program with this in LD_PRELOAD: the file $WALL_CLOCK says by how many
   seconds it is ahead. What runs since the start of the machine, and the times of files, stay as they are. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ahead(void) {
  char text[32] = "";
  const char *path = getenv("WALL_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0)
    return 0;
  ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  return size > 0 ? strtol(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, id, now);
  if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
    now->tv_sec += ahead();
  return failed;
}

/* As macOS tells its start. Only a program that finds no /proc asks for it. */
int sysctlbyname(const char *name, void *found, size_t *size, void *value, size_t length) {
  struct timespec since;
  struct timeval started = {time(NULL), 0};
  (void)value, (void)length;
  if (!strcmp(name, "kern.bootsessionuuid")) {
    *size = (size_t)snprintf(found, *size, "8C2A9E77-0000-4000-8000-000000000000") + 1;
    return 0;
  }
  if (strcmp(name, "kern.boottime"))
    return -1;
  clock_gettime(CLOCK_BOOTTIME, &since);
  started.tv_sec -= since.tv_sec;
  memcpy(found, &started, *size = sizeof started);
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec precise;
  int failed = clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return failed;
}

time_t time(time_t *now) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (now)
    *now = precise.tv_sec;
  return precise.tv_sec;
}
