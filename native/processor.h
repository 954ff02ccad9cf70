// The processor, as compiled code is to use it.
#pragma once

#include <string>

namespace vires::processor {

// Bytes of its vectors: 64 with AVX-512, 32 with AVX2, else 16; or fewer, if VIRES_VECTOR_BYTES says
// so. Known before LLVM's library is there.
int vector_bytes();

// Features as LLVM writes them ("+avx2,-xop,...") without those of vectors wider than that.
std::string narrowed(std::string features);

}  // namespace vires::processor
