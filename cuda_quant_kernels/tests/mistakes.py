"""The classic mistakes of the seven kernels: what each is called, the kernel that makes it, the inputs that show it.

All of them are compiled once, from mistakes.cu, where a mistake is a bit. An attempt is a .cu file, or a notebook cell
that writes one: LOADERS turns it into functions, SOLVE gives the solved text of a workbook's cell.
"""

import functools
import re
from pathlib import Path

import torch
from cuda_mutants import mutants as MUTANTS  # noqa: F401, N812  the grader asks for it under this name
from grader import Mistake, NotCounted

from cuda_quant_kernels.build import load
from cuda_quant_kernels.tasks import calls, checks, source

TASKS = list(source.TASKS)
GIVEN = ("CudaSource",)
GATE_SEEDS = 3

LAST_BLOCK = "how many threads does the last block have, and how many elements are left for it? is there an element n?"
REDUCTION = "after distances 16, 8, 4 and 2, has lane 0 met lane 1?"
COALESCED = "at the same instant, which addresses do lanes 0 and 1 read?"
ONE_PRODUCT = "how large can one product of two int8 be, and a sum of them?"
STRIDES = "how far is it from A[0, 0] to A[1, 0] when A is M x K?"
TWICE = "1 / s is rounded, and the product with it once more: is a tie still a tie?"
FLOAT_SUM = "a float has 24 bits of mantissa: to which sum is 1 too little to add?"
FIRST_STEP = "after distances 8, 4, 2 and 1, has lane 0 met lane 16?"
SHUFFLES_DOWN = "a shuffle down moves values to lower lanes: which lane has met all the others?"
UNSET = "an output holds any bits at first: who sets it to 0?"
KNOBS = {
    "quantized_add": {
        1: ("that lets threads WITHOUT an element work", LAST_BLOCK),
        2: (
            "MULTIPLIED by the output's scale",
            "an output scale twice as large has half as many steps: which way must c go?",
        ),
        4: ("rounded TOWARD ZERO", "what does a conversion with (int) make of 2.7, and of -2.7?"),
        8: ("with the zero-point added BEFORE the scale", "the zero-point is a number of steps of c, not of the sum"),
        16: ("that WRAPS instead of saturating", "what is the int8 with the bits of 130?"),
        32: ("that rounds a half UP", "what do 0.5, 1.5 and 2.5 become, if on average nothing is to be added?"),
        64: ("that rounds a half AWAY from zero", "what do 0.5, 1.5 and 2.5 become, if magnitudes are not to grow?"),
        128: ("that stops at -127", "with a zero-point the range is not symmetric: is -128 a code like any other?"),
        256: ("WITHOUT the output's zero-point", "which code of c stands for 0.0?"),
        512: ("that ADDS the zero-points of a and b", "which code of a stands for 0.0, and what must become of it?"),
        1024: (
            "that saturates BEFORE the output's zero-point is added",
            "the range of int8 holds codes: is the value a code before the zero-point is in it?",
        ),
        2048: ("whose blocks all write the SAME elements", "threadIdx.x is 0 to 127 in every block"),
        4096: (
            "that rounds AFTER the output's zero-point is added",
            "11.5 rounds to 12, and 18.5 to 18: which number is rounded in the workbook's example?",
        ),
        8192: ("that multiplies by the RECIPROCAL of the output's scale", TWICE),
        16384: ("with the OPPOSITE sign of every zero-point", "which code of a stands for 0.0: za, or -za?"),
        32768: ("that keeps a - za in int8", "how far is 127 from a zero-point of -5, and what is the largest int8?"),
        65536: ("that reads UNCOALESCED", COALESCED),
        131072: (
            "that divides each TERM by the output's scale",
            "two quotients are rounded, and then their sum: is a tie still a tie?",
        ),
        262144: ("that keeps the number of steps in INT16", "a small scale of c makes how many steps of a large sum?"),
        524288: ("with the scales in HALF precision", "how many digits of 0.0428 does a half keep?"),
        1048576: (
            "that saturates BEFORE the output's zero-point is added, and after",
            "-130 steps and a zero-point of 7 are the code -123: what are -128 and 7?",
        ),
    },
    "row_absmax": {
        1: ("whose warp reduction FORGETS the last step", REDUCTION),
        2: ("WITHOUT the absolute value", "which is the larger outlier, 3 or -5?"),
        4: ("of the FIRST WARP only", "a shuffle reaches 32 lanes: who has seen the maximum of the other three warps?"),
        8: ("WITHOUT the barrier before the partial results are read", "how does warp 0 know that warp 3 has written?"),
        16: (
            "with a barrier that only SOME threads reach",
            "a barrier counts all threads of the block, and those that left?",
        ),
        32: ("that reads UNCOALESCED", COALESCED),
        64: (
            "that reads BEYOND the last column",
            "1009 is not a multiple of 128: what lies behind a row's last element?",
        ),
        128: ("of the first 128 COLUMNS only", "a block has 128 threads and a row 1009 elements: who reads the rest?"),
        256: ("in which EVERY WARP reads the whole row", "how many threads share a row, and how many columns apart?"),
        512: ("that ADDS the warps' maxima", "what is the largest of four numbers, each the largest of some?"),
        1024: ("whose warp reduction FORGETS the first step", FIRST_STEP),
        2048: (
            "that takes the absolute value LAST",
            "the largest of 5 and -9 is 5: which of them is further from zero?",
        ),
        4096: (
            "whose threads without a column LEAVE before the barrier",
            "a barrier waits for all 128 threads: which maximum can a thread without a column give?",
        ),
        8192: ("whose rows begin 128 elements apart", "x is stored by rows: how far is it from x[0, 0] to x[1, 0]?"),
        16384: ("that FORGETS the last warp", "128 threads are how many warps, and which maxima have met?"),
        32768: ("whose maximum begins ABOVE zero", "a row of zeros has 0: what must a thread hold that has seen none?"),
        65536: ("that takes the root of the largest SQUARE", "1e-30 is a float: is its square one, and that of 1e30?"),
        131072: ("whose LAST lane writes after shuffles DOWN", SHUFFLES_DOWN),
    },
    "quantize_rows": {
        1: ("MULTIPLIED by the scale", "the scale is the size of a step: how many steps is x?"),
        2: ("rounded TOWARD ZERO", "a mean error of zero or of half a step: which way of rounding gives which?"),
        4: ("that produces -128", "a symmetric scheme has as many steps below zero as above: is 128 one of them?"),
        8: ("that gives a row of zeros the scale ZERO", "what will a consumer who divides by the scale get?"),
        16: ("that reads UNCOALESCED", COALESCED),
        32: ("that goes BEYOND the last column", "what lies behind the last element of the last row?"),
        64: ("with the INVERSE of the scale", "the consumer computes q * scale: what must the scale of q = 127 be?"),
        128: ("that spreads the magnitudes over 255 steps", "a signed code has 127 steps on each side of zero"),
        256: ("in which ALL threads write the scale", "128 threads, one number: who writes it?"),
        512: ("that WRAPS beyond absmax", "absmax may be a calibrated one: which code has a larger value?"),
        1024: (
            "that takes a row of SMALL numbers for a row of zeros",
            "the scale is 1 where absmax is 0: is 1e-7 zero?",
        ),
        2048: ("that multiplies by the RECIPROCAL of the scale", TWICE),
        4096: ("that saturates at -128", "which code is the partner of -128?"),
        8192: ("that divides absmax by 128", "which code must x = absmax get?"),
        16384: ("that rounds a half AWAY from zero", "what do 0.5, 1.5 and 2.5 become, if magnitudes are not to grow?"),
        32768: ("that takes the FIRST row's absmax for every row", "which row is this block's?"),
        65536: (
            "whose codes are all ZERO where absmax is 0",
            "absmax may be a calibrated one: the scale is then 1, and which code has an x of 3?",
        ),
        131072: (
            "that multiplies by 127 and DIVIDES BY ABSMAX",
            "s is rounded already: is x * 127 / absmax still the same number of steps of s?",
        ),
        262144: (
            "that divides in DOUBLE precision",
            "the scale and the quotient are floats: does 2.5000000001 stay apart from 2.5?",
        ),
        524288: ("that keeps the number of steps in INT16", "absmax may be a calibrated one: how many steps may x be?"),
        1048576: (
            "that takes the row's OWN maximum where it is smaller",
            "absmax may be a calibrated one: what is the scale where no element reaches it?",
        ),
        2097152: ("that rounds a half UP", "what do 0.5, 1.5 and 2.5 become, if on average nothing is to be added?"),
        4194304: (
            "that reads the scale where a thread writes it, WITHOUT a barrier",
            "thread 0 has written the scale: how does thread 1 know?",
        ),
        8388608: (
            "that divides by absmax and MULTIPLIES BY 127",
            "x / absmax is rounded, and its product with 127 once more: is a tie still a tie?",
        ),
    },
    "coalesced_gemm": {
        1: ("with an INT8 ACCUMULATOR", ONE_PRODUCT),
        2: ("with the row strides of A and B SWAPPED", STRIDES),
        4: (
            "that reads UNCOALESCED",
            "neighbouring threads: the same row and neighbouring columns, or the other way round?",
        ),
        8: (
            "that lets threads WITHOUT an element work",
            "M x N is seldom a multiple of 256: what do the last block's spare threads do?",
        ),
        16: ("that takes B for its TRANSPOSE", "B is K x N by rows: how far apart are B[0, n] and B[1, n]?"),
        32: ("with an INT16 ACCUMULATOR", "three products of 127 and 127 are 48387"),
        64: ("that keeps each PRODUCT in int8", ONE_PRODUCT),
        128: ("with rows of B that are M long", "B is K x N: how far is it from B[0, 0] to B[1, 0]?"),
        256: ("that takes A for its TRANSPOSE", "A is M x K by rows: how far apart are A[m, 0] and A[m, 1]?"),
        512: ("that divides the thread's number by M", "how many elements does a row of C have?"),
        1024: ("with a FLOAT ACCUMULATOR", FLOAT_SUM),
        2048: ("that adds up in GLOBAL memory", "how often is c read and written, and what would a register cost?"),
        4096: ("that adds to an output that NOTHING has set", UNSET),
        8192: ("with rows of B that are K long", "B is K x N: how far is it from B[0, 0] to B[1, 0]?"),
        16384: ("with rows of A that are N long", STRIDES),
        32768: ("that DROPS what steps of FOUR leave over", "K = 53: which step of four reaches the last product?"),
    },
    "tiled_gemm": {
        1: (
            "WITHOUT the first barrier",
            "when thread 0 begins to multiply, has thread 255 stored its element of the tile?",
        ),
        2: (
            "whose LATER steps lack a barrier",
            "a tile is stored, read, and stored again: which barrier stands between each two?",
        ),
        4: (
            "with a barrier that only SOME threads reach",
            "threads outside C compute nothing, but a barrier waits for all 256: do they reach every one?",
        ),
        8: ("with an INT8 ACCUMULATOR", ONE_PRODUCT),
        16: ("with the row strides of A and B SWAPPED", STRIDES),
        32: ("that loads BEYOND the last k", "when K is 53, what is loaded as column 60 of A?"),
        64: (
            "that reads every operand from GLOBAL memory",
            "a tile is loaded once and read 16 times: where are your reads?",
        ),
        128: ("that stores OUTSIDE C", "the grid is rounded up to whole tiles: who writes C[m, N]?"),
        256: ("that multiplies rows by ROWS", "along which index of B's tile does k run?"),
        512: ("of the LAST tile of K only", "where is the sum set to zero, and how often?"),
        1024: ("that DROPS the last, incomplete tile of K", "how many steps of 16 does it take to cover 53?"),
        2048: ("with rows of A that are N long", STRIDES),
        4096: (
            "that REPEATS the edge instead of zeros",
            "ones over K of 20: what do the columns 20 to 31 of a tile add?",
        ),
        8192: (
            "with the block's x and y EXCHANGED",
            "C has 3 tiles along and 2 down: which blocks does the grid have?",
        ),
        16384: ("with a FLOAT ACCUMULATOR", FLOAT_SUM),
        32768: ("that keeps the sum of each STEP in int16", "16 products of 127 and 127 are 258064"),
        65536: ("with an INT16 ACCUMULATOR", "three products of 127 and 127 are 48387"),
        131072: ("that adds to an output that NOTHING has set", UNSET),
        262144: (
            "whose tiles KEEP bytes of an earlier step",
            "K = 20: what does a tile hold for k = 20 to 31 in the second step?",
        ),
        524288: ("with rows of B that are K long", "B is K x N: how far is it from B[0, 0] to B[1, 0]?"),
    },
    "dp4a_dot": {
        1: ("whose warp reduction FORGETS the last step", REDUCTION),
        2: ("with an INT8 ACCUMULATOR", "one dp4a can already reach 65536"),
        4: ("that counts BYTES where there are words", "a row of K bytes holds how many 32-bit words?"),
        8: ("of UNSIGNED bytes", "the bits of -1, read without a sign, are 255"),
        16: ("that reads UNCOALESCED", COALESCED),
        32: ("of lane 0 ALONE", "31 lanes hold sums that nobody has fetched"),
        64: ("with an INT8 ACCUMULATOR in each lane", "one dp4a can already reach 65536"),
        128: ("with an INT16 ACCUMULATOR in each lane", "one dp4a can already reach 65536"),
        256: ("whose reduction REPLACES instead of adding", "a shuffle gives the neighbour's sum: and your own?"),
        512: ("in which ALL lanes add up ALL words", "32 lanes, one row: which words are lane 5's?"),
        1024: ("in which every lane READS everything", "32 lanes, one row: which words are lane 5's?"),
        2048: ("that DROPS the words left over", "257 words, 32 lanes: how many steps, and who works in the last one?"),
        4096: ("whose warp reduction FORGETS the first step", FIRST_STEP),
        8192: ("of the first QUARTER of the words", "`words` counts words: how many of them has a row?"),
        16384: ("with a FLOAT ACCUMULATOR", FLOAT_SUM),
        32768: (
            "that FORGETS a lane's earlier words",
            "33 words are more than 32 lanes: what is lane 0's third argument in its second step?",
        ),
        65536: ("that adds to an output that NOTHING has set", UNSET),
        131072: ("whose LAST lane writes after shuffles DOWN", SHUFFLES_DOWN),
    },
    "unpack_int4": {
        1: ("with the HIGH nibble first", "which bits of the byte hold the even element?"),
        2: ("WITHOUT sign extension", "1111 in four-bit two's complement: fifteen, or minus one?"),
        4: ("that takes two's complement for OFFSET 8", "is the nibble 0000 zero, or minus eight?"),
        8: (
            "that lets threads WITHOUT a byte work",
            "how many threads does the last block have, and how many bytes are left for it?",
        ),
        16: (
            "that writes a byte's second half where there is NONE",
            "when n is odd, how many values does the last byte hold?",
        ),
        32: ("that takes 1000 for PLUS eight", "four bits of two's complement reach from -8 to 7: what is 1000?"),
        64: ("WITHOUT sign extension of the low nibble", "which bit is a nibble's sign, and where is it in the byte?"),
        128: ("that writes the low nibbles first and then the HIGH ones", "whose neighbour is a byte's high nibble?"),
        256: ("that DROPS the last value of an odd number", "a byte with one value: which of its two is written?"),
        512: ("that takes two's complement for SIGN AND MAGNITUDE", "1111 is minus one: what is 1001?"),
        1024: ("WITHOUT sign extension of the high nibble", "is byte >> 4 of an unsigned byte ever negative?"),
        2048: ("that divides a SIGNED byte by 16", "the byte 0xf3, read as int8, is -13: what is -13 % 16 in C++?"),
        4096: ("that reads UNCOALESCED", COALESCED),
        8192: (
            "with a thread for each VALUE",
            "the grid has a thread for each byte: how many values is a thread's part?",
        ),
        16384: ("that shifts the low nibble in INT", "a byte << 4 is an int of 32 bits: which bit is its sign?"),
    },
}
PAIRS = {
    "quantized_add": [3, 5, 6, 9, 10, 12, 17, 18, 20, 24, 33, 34, 40, 65, 66, 72, 132, 260, 516],
    "row_absmax": [3, 5, 6, 33, 34, 36, 66, 129, 130, 132, 258],
    "quantize_rows": [3, 5, 6, 10, 12, 17, 18, 20, 66, 130],
    "coalesced_gemm": [3, 5, 6, 9, 12, 17, 34, 36, 66, 68, 129, 257],
    "tiled_gemm": [10, 24, 40, 72, 258, 264, 520, 1032, 1040],
    "dp4a_dot": [3, 9, 17, 18, 24, 40, 65, 129, 136, 264, 513, 520, 2064],
    "unpack_int4": [3, 5, 9, 10, 12, 17, 18, 20, 33, 65, 130, 132],
}


# ---------------------------------------------------------------- the mistakes


@functools.cache
def library():
    lib = load(Path(__file__).with_suffix(".cu"), "trace")
    lib.limit(source.SECONDS)
    return lib


class WrongKernel:
    """A task made by a kernel of mistakes.cu."""

    def __init__(self, task, knobs):
        self.task, self.knobs = task, knobs

    def __call__(self, *arguments):
        function = functools.partial(getattr(library(), f"wrong_{self.task}"), self.knobs)
        call = calls.CALLS[self.task](*arguments)
        outputs, _ = checks.checked(function, library(), lambda line: f"mistakes.cu, line {line}", call)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


def of(task):
    names = KNOBS[task]
    for knobs in [*names, *PAIRS[task]]:
        parts = [names[bit] for bit in names if knobs & bit]
        yield Mistake(
            task,
            f"{task} " + " AND ".join(p[0] for p in parts),
            " ".join(p[1] for p in parts),
            len(parts),
            WrongKernel(task, knobs),
        )


# ---------------------------------------------------------------- attempts in CUDA


def as_function(cuda, task):
    """A task as an attempt's source has it."""

    def kernel(*arguments):
        return cuda.run(task, *arguments)

    kernel.__name__ = task
    kernel.trace = functools.partial(cuda.trace, task)
    return kernel


INCLUDE = re.compile(r"\s*#\s*include\b")
ALLOWED = re.compile(r'\s*#\s*include\s*(<\w+(/\w+)*(\.h)?>|"ptx\.cuh")\s*(//.*)?')


def read_cuda(where, text):
    """The tasks that a .cu source defines, as functions."""
    for number, line in enumerate(text.split("\n"), 1):
        if INCLUDE.match(line) and not ALLOWED.fullmatch(line):
            rule = 'an attempt stands alone: only library headers such as <cstdint>, and "ptx.cuh", may be included'
            raise NotCounted(f"{where}, line {number}: {rule}")
    cuda = source.CudaSource(text, where)
    return {task: as_function(cuda, task) for task in cuda.kernels}


def solved_cell(text):
    """The workbook's cell with the reference's kernel in it, or None for a cell that holds no task."""
    names = [t for t in TASKS if text.startswith("%%writefile") and source.definition(text, t)]
    return text.split("\n")[0] + "\n" + (source.FOLDER / f"{names[0]}.cu").read_text() if names else None


LOADERS = {".cu": read_cuda}
SOLVE = solved_cell


# ---------------------------------------------------------------- probes: whole blocks first, then ragged, then large


def int8(seed, *shape):
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=torch.Generator().manual_seed(seed))


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SCALES = (0.5, 3, 0.25, -5, 1.5, 7)


def whole_blocks_of_elements(impl, seed):
    return impl.quantized_add(int8(seed, 256), int8(seed + 9, 256), *SCALES)


def the_element_of_the_workbook(impl, seed):
    a, b = torch.tensor([10], dtype=torch.int8), torch.tensor([4], dtype=torch.int8)
    return impl.quantized_add(a, b, 0.5, 3, 0.25, -5, 0.5, 7)


def sums_beyond_the_range(impl, seed):
    return impl.quantized_add(int8(seed, 128), int8(seed + 9, 128), 2.0, 3, 3.0, -5, 1.5, 7)


def a_length_that_is_prime(impl, seed):
    return impl.quantized_add(int8(seed, 1009), int8(seed + 9, 1009), *SCALES)


def halves_of_a_scale_of_41(impl, seed):
    a = torch.arange(-128, 128).to(torch.int8)  # every other sum is a tie, and 1 / 41 is not exact
    return impl.quantized_add(a, int8(seed, 256), 20.5, 3, 41.0, -5, 41.0, 7)


def scales_of_any_fraction(impl, seed):
    # Quotients are 107ths, and none is near a tie: float, fused or double steps give the same codes.
    b = torch.arange(-128, 128).to(torch.int8)
    return impl.quantized_add(int8(seed, 256), b, 0.018, -7, 0.032, 4, 0.0428, -9)


def ties_at_a_scale_of_6(impl, seed):
    b = torch.arange(-128, 128).to(torch.int8)  # sums are exact, and sixths of their terms are not
    return impl.quantized_add(int8(seed, 256), b, 1.0, 3, 1.0, -5, 6.0, 7)


def tiny_scales_and_extreme_zero_points(impl, seed):
    codes = torch.arange(-128, 128).to(torch.int8)
    return impl.quantized_add(codes, int8(seed, 256), 2.0**-60, -128, 2.0**-61, 127, 2.0**-60, -128)


def sums_of_millions_of_steps(impl, seed):
    return impl.quantized_add(int8(seed, 256), int8(seed + 9, 256), 1024.0, 3, 512.0, -5, 2.0**-10, 7)


def a_length_of_4099(impl, seed):
    return impl.quantized_add(int8(seed, 4099), int8(seed + 9, 4099), *SCALES)


def rows_of_128(impl, seed):
    x = normal(seed, 3, 128)
    x[0] = -x[0].abs() - 1  # a row without a positive number
    x[1, 1 + 32 * (seed % 4)] = 9.0  # an odd lane
    x[2, 97] = -11.0  # the last warp
    return impl.row_absmax(x)


def rows_of_1009(impl, seed):
    x = normal(seed, 5, 1009)
    x[torch.arange(5), torch.tensor([0, 33, 500, 970, 1008])] = torch.tensor([9.0, -8.0, 7.0, -9.5, 6.0])
    return impl.row_absmax(x)


def rows_of_small_numbers(impl, seed):
    x = 0.01 * normal(seed, 3, 200)
    x[1] = 0
    return impl.row_absmax(x)


def rows_of_tiny_numbers_and_zeros(impl, seed):
    x = 1e-30 * normal(seed, 3, 140)
    x[1] = 0
    m = impl.row_absmax(x)
    return 1e30 * m, m == 0  # what is compared is as large as 1, or yes and no


def a_row_of_four(impl, seed):
    return impl.row_absmax(torch.tensor([[5.0, -2.0, -9.0, 1.0]]))


def one_row_of_1009(impl, seed):
    return impl.row_absmax(normal(seed, 1, 1009))


def a_row_of_5003(impl, seed):
    x = normal(seed, 1, 5003)
    x[0, 5002] = -8.0
    return impl.row_absmax(x)


def rows_of_huge_numbers(impl, seed):
    return 1e-38 * impl.row_absmax(torch.tensor([[1e38, -3e38, 2e38], [1.5e38, -1e38, 0.0]]))


def rows_of_one_column(impl, seed):
    return impl.row_absmax(normal(seed, 40, 1))


def rows_with_outliers(seed, rows, cols):
    x = 20 * normal(seed, rows, cols)
    x[0, cols // 2] = -300.0
    return x


def rows_of_128_with_outliers(impl, seed):
    x = rows_with_outliers(seed, 3, 128)
    return impl.quantize_rows(x, x.abs().amax(1))


def a_row_of_zeros(impl, seed):
    x = rows_with_outliers(seed, 3, 128)
    x[1] = 0
    return impl.quantize_rows(x, x.abs().amax(1))


def rows_of_tiny_numbers(impl, seed):
    x = normal(seed, 5, 130) * torch.tensor([[1e-3], [1e-7], [1e-12], [1e-30], [3e-36]])
    return impl.quantize_rows(x, x.abs().amax(1))


def halves_of_scales_of_15_and_61(impl, seed):
    scale = torch.tensor([15.0, 61.0])
    return impl.quantize_rows((torch.arange(-127.0, 127) + 0.5) * scale[:, None], 127 * scale)


def halves_of_a_scale_of_100_over_127(impl, seed):
    absmax = torch.tensor([100.0])  # the scale is rounded, and so are its halves
    return impl.quantize_rows((torch.arange(-127.0, 127) + 0.5)[None] * (absmax / 127), absmax)


def an_absmax_of_0_over_a_row_that_is_not(impl, seed):
    return impl.quantize_rows(torch.tensor([[3.3, -200.0, 0.5, -1.5, 0.0]]), torch.zeros(1))


def values_beyond_absmax(impl, seed):
    x = normal(seed, 3, 130)
    return impl.quantize_rows(x, torch.tensor([0.25, 0.5, 1.5]))


def values_far_beyond_absmax(impl, seed):
    x = torch.tensor(
        [[1e12, -1e12, 2.4e7, -2.4e7, 3e5, -3e5, 0.25]]
    )  # more steps than an int holds, and more than 16 bits
    return impl.quantize_rows(x, torch.ones(1))


def an_absmax_above_every_value(impl, seed):
    x = normal(seed, 3, 130)
    return impl.quantize_rows(x, 2 * x.abs().amax(1))


def a_row_of_5003_with_an_outlier(impl, seed):
    x = rows_with_outliers(seed, 1, 5003)
    return impl.quantize_rows(x, x.abs().amax(1))


def the_row_of_the_workbook(impl, seed):
    return impl.quantize_rows(torch.tensor([[5.0, -7.0, 254.0]]), torch.tensor([254.0]))


def rows_of_1009_with_outliers(impl, seed):
    x = rows_with_outliers(seed, 5, 1009)
    return impl.quantize_rows(x, x.abs().amax(1))


def a_short_k(impl, seed):
    a, b = int8(seed, 16, 4), int8(seed + 9, 4, 16)
    a[0], b[:, 0] = -128, -128  # one sum beyond int16
    return impl.coalesced_gemm(a, b)


def a_long_k(impl, seed):
    a = torch.full((1, 1040), -128, dtype=torch.int8)
    a[0, 0] = 1  # the only odd product, far below the sum's 25 bits
    return impl.coalesced_gemm(a, a.T.contiguous())


def the_matrices_of_the_workbook(impl, seed):
    a, b = torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1, 0, 2], [0, 1, 3]])
    return impl.coalesced_gemm(a.to(torch.int8), b.to(torch.int8))


def a_square_of_32(impl, seed):
    return impl.coalesced_gemm(int8(seed, 32, 32), int8(seed + 9, 32, 32))


def prime_sides(impl, seed):
    return impl.coalesced_gemm(int8(seed, 37, 53), int8(seed + 9, 53, 41))


def a_product_of_two_columns(impl, seed):
    return impl.coalesced_gemm(int8(seed, 64, 40), int8(seed + 9, 40, 2))


def a_product_with_k_of_1(impl, seed):
    return impl.coalesced_gemm(int8(seed, 5, 1), int8(seed + 9, 1, 7))


def a_wide_product(impl, seed):
    return impl.coalesced_gemm(int8(seed, 3, 5), int8(seed + 9, 5, 300))


def one_tile(impl, seed):
    return impl.tiled_gemm(int8(seed, 16, 16), int8(seed + 9, 16, 16))


def one_tile_and_a_short_k(impl, seed):
    return impl.tiled_gemm(int8(seed, 16, 11), int8(seed + 9, 11, 16))


def ones_over_k_of_20(impl, seed):
    return impl.tiled_gemm(torch.ones(2, 20, dtype=torch.int8), torch.ones(20, 3, dtype=torch.int8))


def a_k_of_1040(impl, seed):
    a = torch.full((1, 1040), -128, dtype=torch.int8)
    a[0, 0] = 1  # an odd sum of 25 bits
    return impl.tiled_gemm(a, a.T.contiguous())


def two_tiles_of_k(impl, seed):
    return impl.tiled_gemm(int8(seed, 16, 32), int8(seed + 9, 32, 16))


def four_tiles_of_prime_sides(impl, seed):
    return impl.tiled_gemm(int8(seed, 37, 53), int8(seed + 9, 53, 41))


def two_tiles_down_and_three_along(impl, seed):
    return impl.tiled_gemm(int8(seed, 20, 24), int8(seed + 9, 24, 40))


def a_tiled_product_of_two_columns(impl, seed):
    return impl.tiled_gemm(int8(seed, 70, 40), int8(seed + 9, 40, 2))


def a_tiled_product_with_k_of_1(impl, seed):
    return impl.tiled_gemm(int8(seed, 5, 1), int8(seed + 9, 1, 33))


def rows_of_32_words(impl, seed):
    return impl.dp4a_dot(int8(seed, 3, 128), int8(seed + 9, 3, 128))


def rows_of_257_words(impl, seed):
    return impl.dp4a_dot(int8(seed, 7, 1028), int8(seed + 9, 7, 1028))


def rows_of_20_words(impl, seed):
    return impl.dp4a_dot(int8(seed, 4, 80), int8(seed + 9, 4, 80))


def a_row_of_1300_words(impl, seed):
    return impl.dp4a_dot(int8(seed, 1, 5200), int8(seed + 9, 1, 5200))


def the_words_of_the_workbook(impl, seed):
    a = torch.tensor([[1, 2, 3, 4], [-1, 2, 3, 4]], dtype=torch.int8)
    return impl.dp4a_dot(a, torch.ones_like(a))


def a_sum_of_25_bits(impl, seed):
    a = torch.full((1, 1040), -128, dtype=torch.int8)
    a[0, 0] = 1
    return impl.dp4a_dot(a, a)


def packed(seed, n):
    return (int8(seed, (n + 1) // 2).int() + 128).to(torch.uint8)


def whole_blocks_of_bytes(impl, seed):
    return impl.unpack_int4(packed(seed, 256), 256)


def every_byte(impl, seed):
    return impl.unpack_int4(torch.arange(256).to(torch.uint8), 512)


def an_odd_number_of_4099(impl, seed):
    return impl.unpack_int4(packed(seed, 4099), 4099)


def the_byte_of_the_workbook(impl, seed):
    return impl.unpack_int4(torch.tensor([0xF3], dtype=torch.uint8), 2)


def an_odd_number_of_values(impl, seed):
    return impl.unpack_int4(packed(seed, 255), 255)


def a_block_that_is_not_full(impl, seed):
    return impl.unpack_int4(packed(seed, 1000), 1000)


PROBES = {
    "quantized_add": [
        the_element_of_the_workbook,
        whole_blocks_of_elements,
        sums_beyond_the_range,
        halves_of_a_scale_of_41,
        a_length_that_is_prime,
        scales_of_any_fraction,
        ties_at_a_scale_of_6,
        tiny_scales_and_extreme_zero_points,
        sums_of_millions_of_steps,
        a_length_of_4099,
    ],
    "row_absmax": [
        a_row_of_four,
        rows_of_small_numbers,
        rows_of_128,
        rows_of_1009,
        one_row_of_1009,
        rows_of_tiny_numbers_and_zeros,
        rows_of_huge_numbers,
        rows_of_one_column,
        a_row_of_5003,
    ],
    "quantize_rows": [
        the_row_of_the_workbook,
        values_beyond_absmax,
        rows_of_128_with_outliers,
        a_row_of_zeros,
        rows_of_tiny_numbers,
        halves_of_scales_of_15_and_61,
        halves_of_a_scale_of_100_over_127,
        an_absmax_of_0_over_a_row_that_is_not,
        rows_of_1009_with_outliers,
        values_far_beyond_absmax,
        an_absmax_above_every_value,
        a_row_of_5003_with_an_outlier,
    ],
    "coalesced_gemm": [
        the_matrices_of_the_workbook,
        a_short_k,
        a_long_k,
        a_square_of_32,
        prime_sides,
        a_product_of_two_columns,
        a_wide_product,
        a_product_with_k_of_1,
    ],
    "tiled_gemm": [
        ones_over_k_of_20,
        one_tile,
        one_tile_and_a_short_k,
        two_tiles_of_k,
        four_tiles_of_prime_sides,
        two_tiles_down_and_three_along,
        a_k_of_1040,
        a_tiled_product_of_two_columns,
        a_tiled_product_with_k_of_1,
    ],
    "dp4a_dot": [
        the_words_of_the_workbook,
        rows_of_32_words,
        a_sum_of_25_bits,
        rows_of_257_words,
        rows_of_20_words,
        a_row_of_1300_words,
    ],
    "unpack_int4": [
        the_byte_of_the_workbook,
        whole_blocks_of_bytes,
        an_odd_number_of_values,
        a_block_that_is_not_full,
        every_byte,
        an_odd_number_of_4099,
    ],
}
