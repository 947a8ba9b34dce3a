/* Sets the wall clock forward by CLOCK_SKEW_MS for the process that it is loaded into (LD_PRELOAD). The monotonic
 * clock stays as it is, as it does when machines disagree about the time of day. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    const char *skew = getenv("CLOCK_SKEW_MS");
    if (failed || clock != CLOCK_REALTIME || !skew)
        return failed;
    long millis = atol(skew);
    now->tv_sec += millis / 1000;
    now->tv_nsec += millis % 1000 * 1000000L;
    if (now->tv_nsec >= 1000000000L) {
        now->tv_sec += 1;
        now->tv_nsec -= 1000000000L;
    }
    return 0;
}
