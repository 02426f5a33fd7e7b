// The runtime that every emulated library carries: compiled once for each kind of build, then linked to the kernels.
#include "../include/cudacpu.h"
#include "async_copies.h"
#include "host_api.h"
#include "tensor_core.h"
#include "warpgroup.h"
#ifdef QK_TRACE
#include "tracer.h"
#endif
