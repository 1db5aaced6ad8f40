/* Exponential, logarithm and the normal law's tail for one lane of a loop: no branch, no table, no call, so that a
   compiler makes vector code of the loop around them. netfeed.engine.black_tail says what the tail's series are. */
#ifndef NF_OPTION_LAW_H
#define NF_OPTION_LAW_H

#include <stdint.h>
#include <string.h>

#define NF_INLINE static inline __attribute__((always_inline))

#define NF_ROOT_TWO_PI 2.5066282746310002
#define NF_DENSITY_0 0.3989422804014327
#define NF_FARTHEST 100.0
#define NF_SHIFT 4.0
#define NF_MIDDLE 1.08
#define NF_SCALE 8.32
/* log(2) in a part of 31 bits, so that a whole number times it is exact, and the rest */
#define NF_LOG2_HIGH 0x1.62e42fec00000p-1
#define NF_LOG2_LOW 4.236521365809284e-10
#define NF_NO_NUMBER __builtin_nan("")

NF_INLINE double nf_least(double a, double b) { return a < b ? a : b; }
NF_INLINE double nf_most(double a, double b) { return a > b ? a : b; }
NF_INLINE double nf_size(double a) { return __builtin_fabs(a); }
NF_INLINE uint64_t nf_bits(double a) { uint64_t b; memcpy(&b, &a, sizeof b); return b; }
NF_INLINE double nf_double(uint64_t b) { double a; memcpy(&a, &b, sizeof a); return a; }

/* exp(y), within a rounding or so for -708 <= y <= 708; 0 below, and no more than exp(708) above.
   y = k log 2 + r: k is the low bits of y/log 2 once 1.5 * 2**52 is added, and goes into the exponent. */
NF_INLINE double nf_exp(double y) {
    const double shift = 0x1.8p52;
    double held = nf_least(nf_most(y, -708.0), 708.0);
    double whole = held * 1.4426950408889634 + shift, k = whole - shift;
    double r = (held - k * NF_LOG2_HIGH) - k * NF_LOG2_LOW;
    double p = 2.5105337938760716e-08;
    p = p * r + 2.7620231608750013e-07;
    p = p * r + 2.7557255109098465e-06;
    p = p * r + 2.4801520994318236e-05;
    p = p * r + 0.00019841269875050602;
    p = p * r + 0.0013888888917408333;
    p = p * r + 0.00833333333332607;
    p = p * r + 0.04166666666662374;
    p = p * r + 0.1666666666666667;
    p = p * r + 0.5000000000000001;
    p = 1.0 + (r + r * r * p);
    p = nf_double(nf_bits(p) + (nf_bits(whole) << 52));
    return y < -708.0 ? 0.0 : p;
}

/* log(above/below) of two positive normal numbers, within two roundings near 1 too: `below` is brought within a factor
   1.51 of `above` by a power of two, so that their difference is exact. The difference of the bits of two doubles is
   nearly 2**52 times that of their logarithms to base 2; 2**63 keeps it positive, 2**51 rounds it. */
NF_INLINE double nf_log_ratio(double above, double below) {
    uint64_t turned = nf_bits(above) - nf_bits(below) + 0x8008000000000000u;
    uint64_t power = turned >> 52; /* of two, plus 2048 */
    double k = nf_double(power | 0x4330000000000000u) - (0x1p52 + 2048.0);
    double near = nf_double(nf_bits(below) + (power << 52) - (2048ull << 52));
    double gap = above - near, u = gap / near, f = gap / (above + near), z = f * f;
    double p = 0.13766947050023534;
    p = p * z + 0.1318832476576188;
    p = p * z + 0.1538999918510679;
    p = p * z + 0.18181708134171704;
    p = p * z + 0.222222234399453;
    p = p * z + 0.2857142856482332;
    p = p * z + 0.40000000000013636;
    p = p * z + 0.6666666666666666;
    return k * NF_LOG2_HIGH + ((u - f * (u - z * p)) + k * NF_LOG2_LOW);
}

/* The two series below: v goes from -1 to 1 as z goes from 0 to 100. */
NF_INLINE double nf_mills_series(double v) {
    double p = -4.49908473624433e-10;
    p = p * v - 1.6842671647523894e-09;
    p = p * v + 2.7859607863492174e-09;
    p = p * v + 1.834988394999371e-08;
    p = p * v + 1.6474505310828682e-09;
    p = p * v - 1.0821762891417939e-07;
    p = p * v - 1.2397794481101285e-07;
    p = p * v + 4.694876393994075e-07;
    p = p * v + 1.153807946901629e-06;
    p = p * v - 1.6845720409058136e-06;
    p = p * v - 8.178407886749042e-06;
    p = p * v + 5.58306029969103e-06;
    p = p * v + 5.5600204937405055e-05;
    p = p * v - 2.813107621330045e-05;
    p = p * v - 0.00040069042800494994;
    p = p * v + 0.0003899100859752454;
    p = p * v + 0.003004911543145707;
    p = p * v - 0.007750033265425551;
    p = p * v - 0.013777017506097047;
    p = p * v + 0.13234492152865177;
    p = p * v - 0.4365873200946171;
    p = p * v + 0.9483272586776766;
    p = p * v - 1.5389685981637773;
    p = p * v + 1.9532880878486552;
    return p;
}

NF_INLINE double nf_slope_series(double v) {
    double p = -1.4657307856816795e-08;
    p = p * v - 2.5914322858695317e-08;
    p = p * v + 1.2253659982826678e-07;
    p = p * v + 3.135094712251294e-07;
    p = p * v - 4.1406447912723085e-07;
    p = p * v - 2.0703695008486068e-06;
    p = p * v - 5.910487678148007e-08;
    p = p * v + 1.023257174141138e-05;
    p = p * v + 1.0289745431437965e-05;
    p = p * v - 4.394056946251827e-05;
    p = p * v - 8.899468795826719e-05;
    p = p * v + 0.00018739467123666409;
    p = p * v + 0.0005948343363323536;
    p = p * v - 0.0009699690508473231;
    p = p * v - 0.0037030859620769967;
    p = p * v + 0.007403901086677327;
    p = p * v + 0.020670468823373603;
    p = p * v - 0.07696736404864113;
    p = p * v - 0.03244188944714959;
    p = p * v + 0.7361205021716878;
    p = p * v - 2.3180793413832967;
    p = p * v + 4.259524693139693;
    p = p * v - 5.1263240750713255;
    p = p * v + 3.615374173865534;
    return p;
}

/* N(-z)/n(z) for z >= 0. */
NF_INLINE double nf_mills(double z) {
    double near = 1.0 / (nf_least(z, NF_FARTHEST) + NF_SHIFT);
    return near * nf_mills_series(NF_MIDDLE - NF_SCALE * near);
}

/* mills(a - t) - mills(a + t) as a series in t, for small t: each derivative follows from the two before. */
NF_INLINE double nf_mills_fall(double a, double t) {
    double near = 1.0 / (nf_least(a, NF_FARTHEST) + NF_SHIFT), v = NF_MIDDLE - NF_SCALE * near;
    double first = -near * near * nf_slope_series(v);
    double second = near * nf_mills_series(v) + a * first;
    double third = 2.0 * first + a * second;
    double fourth = 3.0 * second + a * third;
    double fifth = 4.0 * third + a * fourth;
    double square = t * t;
    return -2.0 * t * (first + square * (third * (1.0 / 6.0) + square * (fifth * (1.0 / 120.0))));
}

/* mills(p) and mills(q) by one division. */
NF_INLINE void nf_mills_pair(double p, double q, double *at_p, double *at_q) {
    double over_p = nf_least(p, NF_FARTHEST) + NF_SHIFT, over_q = nf_least(q, NF_FARTHEST) + NF_SHIFT;
    double both = 1.0 / (over_p * over_q), near_p = both * over_q, near_q = both * over_p;
    *at_p = near_p * nf_mills_series(NF_MIDDLE - NF_SCALE * near_p);
    *at_q = near_q * nf_mills_series(NF_MIDDLE - NF_SCALE * near_q);
}

#endif
