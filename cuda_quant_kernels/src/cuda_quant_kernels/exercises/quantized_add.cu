// c = q(((a - za) * sa + (b - zb) * sb) / sc) + zc, rounded to nearest even, saturated to [-128, 127].
// Launched with 128 threads a block and one thread, or a few too many, for each of the n elements.
__global__ void quantized_add(const int8_t* a, const int8_t* b, int8_t* c, int n, float sa, int za, float sb, int zb,
                              float sc, int zc) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float sum = (a[i] - za) * sa + (b[i] - zb) * sb;
    int q = __float2int_rn(sum / sc) + zc;
    c[i] = (int8_t)max(-128, min(127, q));
}
