#pragma once   // cudacpu/async_copy.h defines the same three functions; NVIDIA's file is inline PTX
