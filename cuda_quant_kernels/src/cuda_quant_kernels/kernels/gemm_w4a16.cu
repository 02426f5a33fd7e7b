// W4A16 on tensor cores: version 2 of the GEMV, and the skinny GEMM. A tensor core has 8 columns anyway, so that 8 tokens
// cost what 1 does. Two weights become fp16 by one and-or and one addition. A block has 32 rows and up to 16 tokens; its
// warps share out the groups of a row.
//
// One mma multiplies W (16 rows x 16 of k) by the tokens (16 of k x 8) into 16 x 8 sums. A register holds two fp16 of
// one row. With r = lane / 4 and t = lane % 4, a lane holds:
//
//     W  row r      w[0] w[2]        tokens  token r  x[0] x[1]        sums  row r      c[0] c[1]   tokens 2t, 2t + 1
//        row r + 8  w[1] w[3]                                                row r + 8  c[2] c[3]
//
// Which k a register stands for is ours to choose, as long as W and the tokens agree. Lane t takes the 32 columns
// 32t to 32t + 31 of a group: 16 bytes of W from each of its rows, in four words; a word feeds two mma.
#include "gemv.cuh"

// Numbers from 1024 to 2047 are spaced by 1 in fp16, so 0x6400 | q is 1024 + q without a conversion, and 0x6400 | 16 q is
// 1024 + 16 q. One and-or gives a pair of nibbles that are 16 bits apart: (0,4), (1,5), (2,6) or (3,7). A shift by 8
// brings the last two pairs to the place of the first two.
__device__ __forceinline__ void eight_weights(uint32_t word, unsigned (&pair)[4]) {
    const __half2 minus_1032 = __float2half2_rn(-1032.0f), sixteenth = __float2half2_rn(0.0625f),
                  minus_72 = __float2half2_rn(-72.0f);
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
        unsigned low = and_or(word >> 4 * i, 0x000f000f, 0x64006400), high = and_or(word >> 4 * i, 0x00f000f0, 0x64006400);
        __half2 even = __hadd2(reinterpret_cast<__half2&>(low), minus_1032);                // 1024 + q - 1032
        __half2 odd = __hfma2(reinterpret_cast<__half2&>(high), sixteenth, minus_72);       // 64 + q - 72
        pair[i] = reinterpret_cast<unsigned&>(even), pair[i + 1] = reinterpret_cast<unsigned&>(odd);
    }
}

// Eight neighbours of a token in the same pairs: (0,4), (1,5), (2,6), (3,7).
__device__ __forceinline__ void pair_up(const int4& x, unsigned (&pair)[4]) {
    pair[0] = __byte_perm(x.x, x.z, 0x5410);
    pair[1] = __byte_perm(x.x, x.z, 0x7632);
    pair[2] = __byte_perm(x.y, x.w, 0x5410);
    pair[3] = __byte_perm(x.y, x.w, 0x7632);
}

// A warp multiplies two tiles of 16 rows by the same tokens: the tokens are read and paired up once for both.
constexpr int WARPS = 4, ROW_TILES = 2, ROWS = 16 * ROW_TILES, LANE_ROWS = 2 * ROW_TILES;

// A lane's part of a group: 32 weights and a scale of each of its rows r, r + 8, r + 16, ...
struct Weights { uint4 w[LANE_ROWS]; __half s[LANE_ROWS]; };

// Where a lane's part of its next group lies, row by row. Rows beyond N are the last one once more.
struct Place {
    const uint4* w[LANE_ROWS];
    const __half* s[LANE_ROWS];

    __device__ __forceinline__ Place(const Gemv& g, int n0, int group, int r, int t) {
#pragma unroll
        for (int i = 0; i < LANE_ROWS; ++i) {
            size_t row = min(n0 + r + 8 * i, g.n - 1);
            w[i] = reinterpret_cast<const uint4*>(g.w + row * (g.k / 8) + (group * GROUP_SIZE + t * 32) / 8);
            s[i] = g.s + row * (g.k / GROUP_SIZE) + group;
        }
    }
    // Every weight is read once: __ldcs lets the caches drop it first, and the tokens stay.
    __device__ __forceinline__ Weights load() const {
        Weights v;
#pragma unroll
        for (int i = 0; i < LANE_ROWS; ++i) v.w[i] = __ldcs(w[i]), v.s[i] = *s[i];
        return v;
    }
    __device__ __forceinline__ void advance(int groups) {
#pragma unroll
        for (int i = 0; i < LANE_ROWS; ++i) w[i] += groups * (GROUP_SIZE / 32), s[i] += groups;
    }
};

__device__ __forceinline__ uint32_t word_of(const uint4& w, int j) { return j == 0 ? w.x : j == 1 ? w.y : j == 2 ? w.z : w.w; }

// A lane's part of the tokens: 32 columns of token r of each tile of 8. A token beyond M is the last one once more, and
// its sums are not stored.
template <int TILES> struct Tokens { int4 x[TILES][4]; };
template <int TILES> __device__ __forceinline__ Tokens<TILES> load_tokens(const Gemv& g, int group, int r, int t) {
    Tokens<TILES> v;
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
        size_t token = min(tile * 8 + r, g.m - 1);
#pragma unroll
        for (int j = 0; j < 4; ++j)
            v.x[tile][j] = *reinterpret_cast<const int4*>(g.x + token * g.k + group * GROUP_SIZE + t * 32 + j * 8);
    }
    return v;
}

// sum += scale * (weights of one group) * (tokens), for TILES tiles of 8 tokens.
template <int TILES>
__device__ __forceinline__ void multiply_group(float (&sum)[ROW_TILES][TILES][4], const Weights& v,
                                               const Tokens<TILES>& tokens) {
    float part[ROW_TILES][TILES][4] = {};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        unsigned x[TILES][4];
#pragma unroll
        for (int tile = 0; tile < TILES; ++tile) pair_up(tokens.x[tile][j], x[tile]);
#pragma unroll
        for (int y = 0; y < ROW_TILES; ++y) {
            unsigned above[4], below[4];                   // rows r and r + 8 of the tile
            eight_weights(word_of(v.w[2 * y], j), above);
            eight_weights(word_of(v.w[2 * y + 1], j), below);
#pragma unroll
            for (int i = 0; i < 4; i += 2) {
                const unsigned w[4] = {above[i], below[i], above[i + 1], below[i + 1]};
#pragma unroll
                for (int tile = 0; tile < TILES; ++tile) {
                    const unsigned pair[2] = {x[tile][i], x[tile][i + 1]};
                    mma_m16n8k16_f16(part[y][tile], w, pair);
                }
            }
        }
    }
#pragma unroll
    for (int y = 0; y < ROW_TILES; ++y)
#pragma unroll
        for (int tile = 0; tile < TILES; ++tile)
#pragma unroll
            for (int i = 0; i < 4; ++i) sum[y][tile][i] += __half2float(v.s[2 * y + i / 2]) * part[y][tile][i];
}

// Adds the sums of the warps through shared memory and stores them. Rows of 36 floats: a warp's stores use 32 banks.
template <int TILES>
__device__ __forceinline__ void reduce_and_store(const float (&sum)[ROW_TILES][TILES][4], const Gemv& g, int n0) {
    __shared__ float partial[WARPS][TILES * 8][ROWS + 4];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, r = lane / 4, t = lane % 4;
#pragma unroll
    for (int y = 0; y < ROW_TILES; ++y)
#pragma unroll
        for (int tile = 0; tile < TILES; ++tile)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                partial[warp][tile * 8 + t * 2 + i % 2][y * 16 + r + i / 2 * 8] = sum[y][tile][i];
    __syncthreads();
    for (int i = threadIdx.x; i < min(TILES * 8, g.m) * ROWS; i += WARPS * 32) {
        int token = i / ROWS, row = i % ROWS;
        if (n0 + row >= g.n) continue;
        float total = 0;
#pragma unroll
        for (int w = 0; w < WARPS; ++w) total += partial[w][token][row];
        g.y[(size_t)token * g.n + n0 + row] = __float2half(total);
    }
}

template <int TILES>                                       // tokens in tiles of 8, the columns of a tensor core
__global__ void __launch_bounds__(WARPS * 32) gemm_skinny(Gemv g) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, r = lane / 4, t = lane % 4, n0 = blockIdx.x * ROWS;
    int groups = g.k / GROUP_SIZE;
    constexpr bool TOKENS_AHEAD = TILES == 1;              // two tiles would take registers from half of the warps
    float sum[ROW_TILES][TILES][4] = {};
    Place place(g, n0, warp, r, t);
    Weights next{};
    Tokens<TILES> next_tokens{};
    if (warp < groups) {
        next = place.load();
        if (TOKENS_AHEAD) next_tokens = load_tokens<TILES>(g, warp, r, t);
    }
    for (int group = warp; group < groups; group += WARPS) {
        Weights now = next;
        Tokens<TILES> tokens = TOKENS_AHEAD ? next_tokens : load_tokens<TILES>(g, group, r, t);
        place.advance(WARPS);
        if (group + WARPS < groups) {                      // on its way during the products
            next = place.load();
            if (TOKENS_AHEAD) next_tokens = load_tokens<TILES>(g, group + WARPS, r, t);
        }
        multiply_group<TILES>(sum, now, tokens);
    }
    reduce_and_store<TILES>(sum, g, n0);
}

extern "C" int gemm_w4a16(int version, const uint32_t* w, const __half* s, const __half* x, __half* y, int m, int n,
                          int k, cudaStream_t stream) {
    if (version != 2) return (int)cudaErrorInvalidValue;
    Gemv g{w, s, x, y, m, n, k};
    unsigned tiles = (n + ROWS - 1) / ROWS;
    if (m <= 8) gemm_skinny<1><<<tiles, WARPS * 32, 0, stream>>>(g);
    else gemm_skinny<2><<<tiles, WARPS * 32, 0, stream>>>(g);
    return (int)cudaGetLastError();
}
