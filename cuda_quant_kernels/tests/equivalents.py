"""Mutants that no promised behaviour can tell from the reference, each with its reason."""

MAX_STEP = "for (int d = 16; d > 0; d /= 2) m = fmaxf(m, __shfl_xor_sync(0xffff..."
SUM_STEP = "for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffff, ..."
A_TILE = "a_tile[y][x] = row < m && k0 + x < k ? a[row * k + k0 + x] : 0;"
B_TILE = "b_tile[y][x] = k0 + y < k && col < n ? b[(k0 + y) * n + col] : 0;"
SEVENTEEN = "distances 17, 8, 4, 2, 1 meet all 32 lanes as well: 17 is 16 and 1"
ANY_LANE = "after the shuffles every lane of a warp holds its maximum: any one of them may store it"
ANY_THREAD = "one thread has to store the result, and any one may"
PAD = "a padded element of one tile is multiplied by a padded zero of the other, or belongs to no output"

EQUIVALENT = {
    "row_absmax": {
        "0.0f -> -1.0f, in: float m = 0.0f;": "a row has an element, and its magnitude is at least 0",
        f"16 -> 17, in: {MAX_STEP}": SEVENTEEN,
        "32 -> 33, in: if (t % 32 == 0) partial[t / 32] = m;": ANY_LANE,
        "0 -> 1, in: if (t % 32 == 0) partial[t / 32] = m;": ANY_LANE,
        "32 -> 31, in: if (t % 32 == 0) partial[t / 32] = m; (2)": "0, 32, 64 and 96 over 31 are 0, 1, 2 and 3 too",
        "0 -> 1, in: if (t == 0) absmax[blockIdx.x] = fmaxf(fmaxf(partial[0], partial[1]...": ANY_THREAD,
    },
    "quantize_rows": {"0 -> 1, in: if (threadIdx.x == 0) scale[blockIdx.x] = s;": ANY_THREAD},
    "tiled_gemm": {
        "< -> <=, in: for (int k0 = 0; k0 < k; k0 += TILE) {": "one more step has tiles of zeros",
        f"0 -> 1, in: {A_TILE}": PAD,
        f"0 -> 1, in: {B_TILE}": PAD,
    },
    "dp4a_dot": {
        f"16 -> 17, in: {SUM_STEP}": SEVENTEEN,
        "0 -> 1, in: if (threadIdx.x == 0) dots[blockIdx.x] = sum;": ANY_THREAD,
    },
}
