"""Right kernels in other styles: two for each task. The grader must call each of them RIGHT."""

from mistakes import read_cuda

FIRST = r"""
__global__ void quantized_add(const int8_t* a, const int8_t* b, int8_t* c, int n, float sa, int za, float sb, int zb,
                              float sc, int zc) {
    const int at = threadIdx.x + blockDim.x * blockIdx.x;
    if (at < n) {
        float first = sa * (float)(a[at] - za);
        float second = sb * (float)(b[at] - zb);
        int code = (int)rintf((first + second) / sc) + zc;
        if (code > 127) code = 127;
        if (code < -128) code = -128;
        c[at] = code;
    }
}

// Through shared memory, by a tree over the block.
__global__ void row_absmax(const float* x, float* absmax, int cols) {
    __shared__ float tree[128];
    float largest = 0;
    for (int j = threadIdx.x; j < cols; j += blockDim.x) {
        float v = x[blockIdx.x * cols + j];
        largest = max(largest, abs(v));
    }
    tree[threadIdx.x] = largest;
    for (int half = 64; half >= 1; half >>= 1) {
        __syncthreads();
        if (threadIdx.x < half) tree[threadIdx.x] = max(tree[threadIdx.x], tree[threadIdx.x + half]);
    }
    if (threadIdx.x == 0) absmax[blockIdx.x] = tree[0];
}

// The scale is shared by the block.
__global__ void quantize_rows(const float* x, const float* absmax, int8_t* q, float* scale, int cols) {
    __shared__ float step;
    if (threadIdx.x == 0) {
        step = absmax[blockIdx.x] / 127;
        if (step == 0) step = 1;
        scale[blockIdx.x] = step;
    }
    __syncthreads();
    for (int j = threadIdx.x; j < cols; j += blockDim.x) {
        float y = rintf(x[blockIdx.x * cols + j] / step);
        q[blockIdx.x * cols + j] = y > 127 ? 127 : y < -127 ? -127 : (int)y;
    }
}

__global__ void coalesced_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t < m * n) {
        const int8_t* left = a + t / n * k;
        const int8_t* right = b + t % n;
        int sum = 0;
        for (int step = 0; step < k; step++, right += n) sum += (int)left[step] * (int)*right;
        c[t] = sum;
    }
}

// Steps are counted, and the tiles are padded to words.
__global__ void tiled_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    __shared__ int left[16][16];
    __shared__ int right[16][17];
    const int ty = threadIdx.y, tx = threadIdx.x;
    const int r = blockIdx.y * blockDim.y + ty, q = blockIdx.x * blockDim.x + tx;
    int sum = 0;
    for (int step = 0; step < (k + 15) / 16; ++step) {
        const int ka = step * 16 + tx, kb = step * 16 + ty;
        left[ty][tx] = 0;
        right[ty][tx] = 0;
        if (r < m && ka < k) left[ty][tx] = a[r * k + ka];
        if (q < n && kb < k) right[ty][tx] = b[kb * n + q];
        __syncthreads();
        for (int j = 0; j < 16; ++j) sum += left[ty][j] * right[j][tx];
        __syncthreads();
    }
    if (r >= m || q >= n) return;
    c[r * n + q] = sum;
}

// Lane 0 collects by shuffles downwards.
__global__ void dp4a_dot(const int* a, const int* b, int* dots, int words) {
    const int row = blockIdx.x;
    int sum = 0;
    for (int w = threadIdx.x; w < words; w += 32) sum = __dp4a(a[row * words + w], b[row * words + w], sum);
    for (int d = 1; d < 32; d *= 2) sum += __shfl_down_sync(0xffffffff, sum, d);
    if (threadIdx.x == 0) dots[row] = sum;
}

// The sign by two shifts.
__global__ void unpack_int4(const uint8_t* packed, int8_t* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < (n + 1) / 2) {
        uint8_t byte = packed[i];
        out[2 * i] = (int8_t)(byte << 4) >> 4;
        if (2 * i + 1 < n) out[2 * i + 1] = (int8_t)byte >> 4;
    }
}
"""

SECOND = r"""
// A loop over the grid, in double precision.
__global__ void quantized_add(const int8_t* a, const int8_t* b, int8_t* c, int n, float sa, int za, float sb, int zb,
                              float sc, int zc) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        float sum = sa * (a[i] - za) + sb * (b[i] - zb);
        float code = rintf(sum / sc) + zc;
        c[i] = (int8_t)fminf(fmaxf(code, -128.0f), 127.0f);
    }
}

// Over the bits of the floats, with one atomic a warp.
__global__ void row_absmax(const float* x, float* absmax, int cols) {
    __shared__ int best;
    if (threadIdx.x == 0) best = 0;
    __syncthreads();
    int bits = 0;
    for (int j = threadIdx.x; j < cols; j += 128)
        bits = max(bits, __float_as_int(x[(size_t)blockIdx.x * cols + j]) & 0x7fffffff);
    bits = __reduce_max_sync(0xffffffff, bits);
    if (threadIdx.x % 32 == 0) atomicMax(&best, bits);
    __syncthreads();
    if (threadIdx.x == 0) absmax[blockIdx.x] = __int_as_float(best);
}

__device__ float step_of(float absmax) { return absmax == 0.0f ? 1.0f : absmax / 127.0f; }
__device__ int8_t code_of(float y) { return (int8_t)__float2int_rn(fminf(fmaxf(y, -127.0f), 127.0f)); }
__global__ void quantize_rows(const float* x, const float* absmax, int8_t* q, float* scale, int cols) {
    const float step = step_of(absmax[blockIdx.x]);
    if (threadIdx.x == 127) scale[blockIdx.x] = step;
    for (int j = 0; j < cols; j += blockDim.x)
        if (j + threadIdx.x < cols) {
            size_t at = (size_t)blockIdx.x * cols + j + threadIdx.x;
            q[at] = code_of(x[at] / step);
        }
}

// Two running sums.
__global__ void coalesced_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, row = i / n, col = i - row * n;
    if (row >= m) return;
    int even = 0, odd = 0;
    for (int j = 0; j + 1 < k; j += 2) {
        even += a[row * k + j] * b[j * n + col];
        odd += a[row * k + j + 1] * b[(j + 1) * n + col];
    }
    if (k % 2) even += a[row * k + k - 1] * b[(k - 1) * n + col];
    c[row * n + col] = even + odd;
}

// B's tile is stored transposed, and only the last barrier of the last step is left out.
__global__ void tiled_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    __shared__ int8_t at[TILE][TILE], bt[TILE][TILE + 4];
    int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * TILE + y, col = blockIdx.x * TILE + x, sum = 0;
    bool in_a = row < m, in_b = col < n;
    for (int k0 = 0; k0 < k; k0 += TILE) {
        if (k0) __syncthreads();
        at[y][x] = in_a && k0 + x < k ? a[(size_t)row * k + k0 + x] : (int8_t)0;
        bt[x][y] = in_b && k0 + y < k ? b[(size_t)(k0 + y) * n + col] : (int8_t)0;
        __syncthreads();
        for (int j = TILE - 1; j >= 0; --j) sum += at[y][j] * bt[x][j];
    }
    if (in_a && in_b) c[(size_t)row * n + col] = sum;
}

__global__ void dp4a_dot(const int* a, const int* b, int* dots, int words) {
    a += (size_t)blockIdx.x * words, b += (size_t)blockIdx.x * words;
    int sum = 0;
    for (int first = 0; first < words; first += 32) {
        int w = first + threadIdx.x;
        if (w < words) sum += __dp4a(a[w], b[w], 0);
    }
    sum = __reduce_add_sync(0xffffffff, sum);
    if (threadIdx.x == 31) dots[blockIdx.x] = sum;
}

// A table, and a value a step.
__global__ void unpack_int4(const uint8_t* packed, int8_t* out, int n) {
    const int8_t value[16] = {0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1};
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    for (int at = 2 * i; at < 2 * i + 2 && at < n; ++at) out[at] = value[packed[i] >> (at % 2 * 4) & 15];
}
"""

_first, _second = read_cuda("first.cu", FIRST), read_cuda("second.cu", SECOND)
_names = {
    "quantized_add": ("a branch around the work", "a loop over the grid, clamped in float"),
    "row_absmax": ("a tree in shared memory", "atomics on the bits"),
    "quantize_rows": ("the scale in shared memory", "device functions, clamped in float"),
    "coalesced_gemm": ("pointers that move", "two running sums"),
    "tiled_gemm": ("words in the tiles, steps counted", "B transposed, a barrier at the loop's head"),
    "dp4a_dot": ("shuffles downwards", "one reduction instruction"),
    "unpack_int4": ("the sign by shifts", "a table and a loop"),
}
STYLES = {task: {one: _first[task], two: _second[task]} for task, (one, two) in _names.items()}
