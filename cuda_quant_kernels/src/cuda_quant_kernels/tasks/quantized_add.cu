// c = round(((a - za) * sa + (b - zb) * sb) / sc) + zc, ties to even, saturated to [-128, 127].
// Blocks of 128 threads. The grid has at least n threads: one for each element, and up to 127 more.
__global__ void quantized_add(const int8_t* a, const int8_t* b, int8_t* c, int n, float sa, int za, float sb, int zb,
                              float sc, int zc) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float sum = (a[i] - za) * sa + (b[i] - zb) * sb;
    int q = __float2int_rn(sum / sc) + zc;
    c[i] = (int8_t)max(-128, min(127, q));
}
