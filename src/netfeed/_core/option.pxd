"""What other compiled modules may use of option maths: blocks of options, and one option, without the GIL."""

cdef extern from "option_block.h" nogil:
    cdef enum:
        LANES "NF_LANES"            # options in a block
        GROUP "NF_GROUP"            # lanes are computed in groups of so many
        ROWS "NF_ROWS"
        OK "NF_OK"
        PRICE "NF_PRICE"
        DELTA "NF_DELTA"
        GAMMA "NF_GAMMA"
        VEGA "NF_VEGA"
        THETA "NF_THETA"
        NET_DELTA "NF_NET_DELTA"
        VANNA "NF_VANNA"
        VOLGA "NF_VOLGA"

    ctypedef struct Options "nf_options":
        double kind[64]
        double forward[64]
        double strike[64]
        double years[64]
        double volatility[64]
        double discount[64]
        double coin[64]
        double price[64]
        double start[64]
        double code[64]
        double row[8][64]


cdef void price_block(Options *options, int groups) noexcept nogil
cdef void solve_block(Options *options, int groups) noexcept nogil
cdef int price_scalar(int kind, double forward, double strike, double years, double volatility, double discount,
                      bint inverse, double *values) noexcept nogil
cdef int solve_scalar(int kind, double price, double forward, double strike, double years, double discount,
                      bint inverse, double guess, double *volatility) noexcept nogil
