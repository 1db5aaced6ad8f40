/* A block of options: what goes in, what comes out, and the room between. The loops over it stand in option.h, so that
   who only fills blocks compiles none of them. */
#ifndef NF_OPTION_BLOCK_H
#define NF_OPTION_BLOCK_H

enum { NF_LANES = 64, NF_GROUP = 8, NF_ROWS = 8 };
enum { NF_OK, NF_BAD_INPUT, NF_EXPIRED, NF_BELOW_INTRINSIC, NF_ABOVE_BOUND };
enum { NF_PRICE, NF_DELTA, NF_GAMMA, NF_VEGA, NF_THETA, NF_NET_DELTA, NF_VANNA, NF_VOLGA };

typedef double nf_lane[NF_LANES];

typedef struct {
    /* in: `volatility` to find prices; `price`, and `start` (a volatility to begin with, or NaN), to find volatilities */
    nf_lane kind, forward, strike, years, volatility, discount, coin, price, start;
    /* out; a volatility is row 0 */
    nf_lane code, row[NF_ROWS];
    /* between the loops */
    nf_lane x, s, a, t, mean, density, near, far, worth;
    nf_lane exponent, fall, gap, done, sought, log, most, turn, turn_mills, at_turn, missing, place;
} nf_options __attribute__((aligned(64)));

#endif
