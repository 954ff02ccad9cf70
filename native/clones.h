// Loops in the widest vectors that the machine has: such a function is compiled once for each kind of
// vector, and the loader takes the right one. All give the same bits: none fuses multiply and add.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__gnu_linux__)
#define VIRES_CLONES [[gnu::target_clones("avx2", "default")]]
#else
#define VIRES_CLONES
#endif
