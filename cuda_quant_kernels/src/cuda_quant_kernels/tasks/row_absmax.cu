// absmax[r] = max over c of |x[r, c]|. x is stored by rows.
// One block of 128 threads, which is four warps, for each row.
__global__ void row_absmax(const float* x, float* absmax, int cols) {
    __shared__ float partial[4];
    int t = threadIdx.x;
    const float* row = x + (size_t)blockIdx.x * cols;
    float m = 0.0f;
    for (int c = t; c < cols; c += blockDim.x) m = fmaxf(m, fabsf(row[c]));
    for (int d = 16; d > 0; d /= 2) m = fmaxf(m, __shfl_xor_sync(0xffffffff, m, d));
    if (t % 32 == 0) partial[t / 32] = m;
    __syncthreads();
    if (t == 0) absmax[blockIdx.x] = fmaxf(fmaxf(partial[0], partial[1]), fmaxf(partial[2], partial[3]));
}
