// scale[r] = absmax[r] / 127, or 1 where absmax[r] is 0. q[r, c] = x[r, c] / scale[r], rounded to nearest even.
// Beyond absmax, q saturates at -127 and 127. One block of 128 threads for each row.
__global__ void quantize_rows(const float* x, const float* absmax, int8_t* q, float* scale, int cols) {
    size_t row = (size_t)blockIdx.x * cols;
    float m = absmax[blockIdx.x];
    float s = m > 0.0f ? m / 127.0f : 1.0f;
    if (threadIdx.x == 0) scale[blockIdx.x] = s;
    for (int c = threadIdx.x; c < cols; c += blockDim.x) {
        int v = __float2int_rn(x[row + c] / s);
        q[row + c] = (int8_t)max(-127, min(127, v));
    }
}
