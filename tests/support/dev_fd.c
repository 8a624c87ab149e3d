/* With this in LD_PRELOAD, a program sees another device behind /dev/fd/N than its file has, as on macOS: there the
   kernel answers with the device of /dev, and with all else of the file. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int look(const char *path, struct stat *found) {
  int failed = fstatat(AT_FDCWD, path, found, 0);
  if (!failed && !strncmp(path, "/dev/fd/", 8))
    found->st_dev ^= 4;
  return failed;
}

int stat(const char *restrict path, struct stat *restrict found) {
  return look(path, found);
}

/* What programs call that were built with glibc before 2.33. */
int __xstat(int version, const char *path, struct stat *found) {
  (void)version;
  return look(path, found);
}
