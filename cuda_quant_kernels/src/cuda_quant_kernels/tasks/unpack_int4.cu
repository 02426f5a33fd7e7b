// out[2i] and out[2i + 1] are the low and the high four bits of packed[i], as two's complement numbers from -8 to 7.
// n values, and n may be odd. Blocks of 128 threads: one thread for each byte, and up to 127 more.
__global__ void unpack_int4(const uint8_t* packed, int8_t* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (2 * i >= n) return;
    int low = packed[i] & 15, high = packed[i] >> 4;
    out[2 * i] = (int8_t)((low ^ 8) - 8);
    if (2 * i + 1 < n) out[2 * i + 1] = (int8_t)((high ^ 8) - 8);
}
