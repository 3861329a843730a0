#include <new>

/* GCC 11 has its containers call this, and the libstdc++ of before lacks it (GCC: libstdc++-v3/src/c++11/functexcept.cc). */
namespace std {
void __throw_bad_array_new_length() { throw bad_array_new_length(); }
}
