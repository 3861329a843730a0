/*
 * glibc 2.32 and 2.34 moved these out of libpthread and gave them new versions, which a glibc of before lacks. Their first
 * version on this processor is in all of them (glibc: nptl/Versions).
 */
__asm__(".symver pthread_create,pthread_create@GLIBC_2.17");
__asm__(".symver pthread_join,pthread_join@GLIBC_2.17");
__asm__(".symver pthread_sigmask,pthread_sigmask@GLIBC_2.17");
__asm__(".symver pthread_condattr_setclock,pthread_condattr_setclock@GLIBC_2.17");
