// dots[r] = sum over k of a[r, k] * b[r, k] for rows of int8. A word holds four of them; a row has `words` words.
// One block of 32 threads, which is one warp, for each row.
__global__ void dp4a_dot(const int* a, const int* b, int* dots, int words) {
    const int *a_row = a + (size_t)blockIdx.x * words, *b_row = b + (size_t)blockIdx.x * words;
    int sum = 0;
    for (int w = threadIdx.x; w < words; w += 32) sum = __dp4a(a_row[w], b_row[w], sum);
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffff, sum, offset);
    if (threadIdx.x == 0) dots[blockIdx.x] = sum;
}
