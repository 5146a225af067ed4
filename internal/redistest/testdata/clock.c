// Moves the time of day of the process it is preloaded into, by the seconds that a mapped file
// holds. Clocks that only measure are left alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset;
static int (*original_gettimeofday)(struct timeval *, void *);
static int (*original_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("REDISTEST_CLOCK"), O_RDONLY);
  void *mapped = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) {
    _exit(127);
  }
  close(file);
  offset = mapped;
}

static int64_t moved(void) { return offset ? *offset : 0; }

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  if (!original_gettimeofday) {
    *(void **)&original_gettimeofday = dlsym(RTLD_NEXT, "gettimeofday");
  }
  int result = original_gettimeofday(now, zone);
  now->tv_sec += moved();
  return result;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (!original_clock_gettime) {
    *(void **)&original_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  }
  int result = original_clock_gettime(clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
    now->tv_sec += moved();
  }
  return result;
}

time_t time(time_t *into) {
  struct timeval now;
  gettimeofday(&now, NULL);
  if (into) {
    *into = now.tv_sec;
  }
  return now.tv_sec;
}
