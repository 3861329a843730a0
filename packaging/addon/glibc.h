/*
 * glibc 2.32 and 2.34 moved these out of libpthread and gave them new versions, which a glibc of before lacks. Their first
 * version on each processor is in all of them (glibc: nptl/Versions, and sysdeps' shlib-versions for where a port begins).
 */
#if defined(__x86_64__)
#define FIRST "GLIBC_2.2.5"
#define SETCLOCK_FIRST "GLIBC_2.3.3"
#else
#define FIRST "GLIBC_2.17"
#define SETCLOCK_FIRST "GLIBC_2.17"
#endif
__asm__(".symver pthread_create,pthread_create@" FIRST);
__asm__(".symver pthread_join,pthread_join@" FIRST);
__asm__(".symver pthread_sigmask,pthread_sigmask@" FIRST);
__asm__(".symver pthread_condattr_setclock,pthread_condattr_setclock@" SETCLOCK_FIRST);
