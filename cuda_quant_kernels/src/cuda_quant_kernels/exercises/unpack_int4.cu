// Two 4-bit two's complement values a byte, the low nibble first: out[2i] and out[2i + 1] from packed[i], -8 to 7.
// One thread, or a few too many, for each byte; n values are wanted, and n may be odd.
__global__ void unpack_int4(const uint8_t* packed, int8_t* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (2 * i >= n) return;
    int low = packed[i] & 15, high = packed[i] >> 4;
    out[2 * i] = (int8_t)((low ^ 8) - 8);
    if (2 * i + 1 < n) out[2 * i + 1] = (int8_t)((high ^ 8) - 8);
}
