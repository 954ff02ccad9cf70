// The entry of an executable whose whole work is its first host function.
#include "runtime.h"
#include "symbols.h"

extern "C" {

int32_t vires_host_entry(void** buffers, struct Runtime* runtime) {
  return runtime->host(runtime, 0, buffers) == 0 ? 0 : -1;
}

}

VIRES_SYMBOL(vires_host_entry)
