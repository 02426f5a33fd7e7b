// C[m, n] = sum over k of A[m, k] * B[k, n], through tiles in shared memory.
// Blocks of TILE x TILE = 16 x 16 threads, one block for each TILE x TILE piece of C.
__global__ void tiled_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    __shared__ int8_t a_tile[TILE][TILE], b_tile[TILE][TILE];
    int x = threadIdx.x, y = threadIdx.y;
    int row = blockIdx.y * TILE + y, col = blockIdx.x * TILE + x;
    int sum = 0;
    for (int k0 = 0; k0 < k; k0 += TILE) {
        a_tile[y][x] = row < m && k0 + x < k ? a[row * k + k0 + x] : 0;
        b_tile[y][x] = k0 + y < k && col < n ? b[(k0 + y) * n + col] : 0;
        __syncthreads();
        for (int j = 0; j < TILE; ++j) sum += a_tile[y][j] * b_tile[j][x];
        __syncthreads();
    }
    if (row < m && col < n) c[row * n + col] = sum;
}
