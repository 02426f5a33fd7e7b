// C[m, n] = sum over k of A[m, k] * B[k, n]: int8 operands, int32 sums, all three stored by rows.
// Blocks of 256 threads in one dimension: a thread for each element of C, and up to 255 more.
__global__ void coalesced_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= m * n) return;
    int row = i / n, col = i % n;
    int sum = 0;
    for (int j = 0; j < k; ++j) sum += a[row * k + j] * b[j * n + col];
    c[i] = sum;
}
