// How each task's kernel is launched. This text is appended to the source of an attempt; HAS_NAME is defined for each
// kernel that the attempt has.
#ifdef HAS_quantized_add
extern "C" int run_quantized_add(const int8_t* a, const int8_t* b, int8_t* c, int n, float sa, int za, float sb, int zb,
                                 float sc, int zc) {
    quantized_add<<<(n + 127) / 128, 128>>>(a, b, c, n, sa, za, sb, zb, sc, zc);
    return (int)cudaGetLastError();
}
#endif
#ifdef HAS_row_absmax
extern "C" int run_row_absmax(const float* x, float* absmax, int rows, int cols) {
    row_absmax<<<rows, 128>>>(x, absmax, cols);
    return (int)cudaGetLastError();
}
#endif
#ifdef HAS_quantize_rows
extern "C" int run_quantize_rows(const float* x, const float* absmax, int8_t* q, float* scale, int rows, int cols) {
    quantize_rows<<<rows, 128>>>(x, absmax, q, scale, cols);
    return (int)cudaGetLastError();
}
#endif
#ifdef HAS_coalesced_gemm
extern "C" int run_coalesced_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    coalesced_gemm<<<(m * n + 255) / 256, 256>>>(a, b, c, m, n, k);
    return (int)cudaGetLastError();
}
#endif
#ifdef HAS_tiled_gemm
extern "C" int run_tiled_gemm(const int8_t* a, const int8_t* b, int* c, int m, int n, int k) {
    tiled_gemm<<<dim3((n + TILE - 1) / TILE, (m + TILE - 1) / TILE), dim3(TILE, TILE)>>>(a, b, c, m, n, k);
    return (int)cudaGetLastError();
}
#endif
#ifdef HAS_dp4a_dot
extern "C" int run_dp4a_dot(const int* a, const int* b, int* dots, int rows, int words) {
    dp4a_dot<<<rows, 32>>>(a, b, dots, words);
    return (int)cudaGetLastError();
}
#endif
#ifdef HAS_unpack_int4
extern "C" int run_unpack_int4(const uint8_t* packed, int8_t* out, int n) {
    int bytes = (n + 1) / 2;
    unpack_int4<<<(bytes + 127) / 128, 128>>>(packed, out, n);
    return (int)cudaGetLastError();
}
#endif
