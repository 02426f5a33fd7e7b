// dots[r] = sum over k of a[r, k] * b[r, k] for rows of int8. A word holds four of them; a row has `words` words.
// One block of 32 threads, which is one warp, for each row.
__global__ void dp4a_dot(const int* a, const int* b, int* dots, int words) {
    size_t first = (size_t)blockIdx.x * words;
    int sum = 0;
    for (int w = threadIdx.x; w < words; w += 32) sum = __dp4a(a[first + w], b[first + w], sum);
    for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffff, sum, d);
    if (threadIdx.x == 0) dots[blockIdx.x] = sum;
}
