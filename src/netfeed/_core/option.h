/* Option maths over blocks of lanes; netfeed.engine.black and black_volatility define it, and say why it is so.

   One source, compiled for each vector unit, of which the machine's best is chosen when it runs (nf_units): the loops are
   written so that a compiler makes vector code of them. What no option of a block needs is left out for the whole block.
   Where the compiler or the machine knows no such units, the plain loop remains. */
#ifndef NF_OPTION_H
#define NF_OPTION_H

#include "option_block.h"
#include "option_law.h"

#define NF_LEAST 1e-100
#define NF_MOST 1e100
#define NF_MOST_SPREAD 1e10
#define NF_SMALL (1.0 / 200)
#define NF_STILL 1e-150
#define NF_ROUNDINGS 0x1p-50
#define NF_TRIES 3
#define NF_STEPS 12
#define NF_CLOSE 1e-4
#define NF_TINY 1e-290
#define NF_LIFT 0x1p100
#define NF_LOG_LIFT 69.31471805599453
#define NF_WINITZKI 0.147

enum { NF_BELOW, NF_BETWEEN, NF_ABOVE }; /* places on the curve */

/* 1 where everything has a meaning but the volatility or the price, else 0. */
NF_INLINE double nf_valid(const nf_options *o, int i) {
    double F = o->forward[i], K = o->strike[i], D = o->discount[i], T = o->years[i];
    double low = nf_least(nf_least(F, K), D), high = nf_most(nf_most(F, K), D);
    double good = F == F && K == K && D == D ? 1.0 : 0.0;
    good = nf_size(o->kind[i]) == 1.0 ? good : 0.0;
    good = low >= NF_LEAST ? good : 0.0;
    good = high <= NF_MOST ? good : 0.0;
    return nf_size(T) <= NF_MOST_SPREAD ? good : 0.0;
}

/* --- prices and Greeks */

NF_INLINE void nf_price_body(nf_options *restrict o, int groups) {
    const int n = groups * NF_GROUP;
    uint64_t series = 0, interest = 0;

    for (int i = 0; i < n; i++) {
        double F = o->forward[i], K = o->strike[i];
        double s = o->volatility[i] * __builtin_sqrt(nf_most(o->years[i], 0.0));
        s = nf_most(s, NF_STILL);
        double x = nf_log_ratio(F, K), t = 0.5 * s, a = nf_size(x) / s;
        o->x[i] = x;
        o->s[i] = s;
        o->t[i] = t;
        o->mean[i] = __builtin_sqrt(F * K);
        o->density[i] = NF_DENSITY_0 * nf_exp(-0.5 * (a * a + t * t));
        a = nf_least(a, NF_FARTHEST);
        o->a[i] = a;
        series |= t < NF_SMALL * (a + 1.0) ? 1u : 0u;
        interest |= o->discount[i] != 1.0 ? 1u : 0u;
    }
    for (int i = 0; i < n; i++) {
        double a = o->a[i], t = o->t[i], density = o->density[i], near, far;
        nf_mills_pair(nf_size(a - t), a + t, &near, &far);
        near *= density;
        far *= density;
        o->near[i] = near;
        o->far[i] = far;
        double least = nf_least(o->forward[i], o->strike[i]) / o->mean[i];
        o->worth[i] = (a >= t ? near : least - near) - far;
    }
    if (series)
        for (int i = 0; i < n; i++) {
            double a = o->a[i], t = o->t[i], fall = o->density[i] * nf_mills_fall(a, t);
            o->worth[i] = t < NF_SMALL * (a + 1.0) ? fall : o->worth[i];
        }
    for (int i = 0; i < n; i++) {
        double F = o->forward[i], K = o->strike[i], sign = o->kind[i], D = o->discount[i], v = o->volatility[i];
        double T = nf_most(o->years[i], 0.0), s = o->s[i], mean = o->mean[i], a = o->a[i], t = o->t[i];
        double both = 1.0 / (F * K), over_F = both * K, over_K = both * F, over_s = 1.0 / s;
        int still = s <= NF_STILL;
        double gain = sign * (F - K), outside = still ? 0.0 : mean * o->worth[i];
        double value = D * (outside + nf_most(gain, 0.0));

        /* the chances N(sign d1) and N(sign d2), each from the tail that is small */
        double least = F >= K ? over_K : over_F, most = F >= K ? over_F : over_K;
        double near = o->near[i] * mean * least, far = o->far[i] * mean * most, near_rest = 1.0 - near;
        double small = a >= t ? near : near_rest, rest = a >= t ? near_rest : near;
        double far_rest = 1.0 - far;
        double first = F >= K ? far_rest : small, second = F >= K ? rest : far; /* of a call */
        double put_first = F >= K ? far : rest, put_second = F >= K ? small : far_rest;
        first = sign > 0.0 ? first : put_first;
        second = sign > 0.0 ? second : put_second;
        double step = gain > 0.0 ? 1.0 : 0.5;
        step = gain < 0.0 ? 0.0 : step;
        first = still ? step : first;
        second = still ? step : second;
        double delta = sign * D * first, net = sign * D * second * K * over_F;

        double x = o->x[i], d1 = x * over_s + t, d2 = x * over_s - t;
        double density = still ? 0.0 : o->density[i];
        double dense = D * mean * density, root = __builtin_sqrt(T);
        double vega = dense * root, over_v = root * over_s, over_root = v * over_s;
        double vanna = -dense * over_F * (d2 * over_v), volga = vega * d1 * (d2 * over_v);
        double gamma = dense * over_F * over_F * over_s, theta = -0.5 * dense * v * over_root;
        double fine = nf_valid(o, i);
        fine = v >= 0.0 ? fine : 0.0;
        fine = v <= NF_MOST_SPREAD ? fine : 0.0;
        double nothing = fine > 0.0 ? 0.0 : NF_NO_NUMBER;
        int none = density == 0.0;
        double coin = o->coin[i];
        o->row[NF_PRICE][i] = (coin != 0.0 ? value * over_F : value) + nothing;
        o->row[NF_DELTA][i] = delta + nothing;
        o->row[NF_GAMMA][i] = (none ? 0.0 : gamma) + nothing;
        o->row[NF_VEGA][i] = vega + nothing;
        o->row[NF_THETA][i] = (none ? 0.0 : theta) + nothing;
        o->row[NF_NET_DELTA][i] = (coin != 0.0 ? net : delta) + nothing;
        o->row[NF_VANNA][i] = (none ? 0.0 : vanna) + nothing;
        o->row[NF_VOLGA][i] = (none ? 0.0 : volga) + nothing;
        double code = o->years[i] > 0.0 ? NF_OK : NF_EXPIRED;
        o->code[i] = fine > 0.0 ? code : NF_BAD_INPUT;
        o->worth[i] = value;
    }
    if (interest)
        for (int i = 0; i < n; i++) {
            double T = o->years[i], carry = -nf_log_ratio(o->discount[i], 1.0) * o->worth[i] / T;
            o->row[NF_THETA][i] += T > 0.0 ? carry : 0.0;
        }
}

/* --- the volatility that makes a price */

/* Say what is known of each price, and which need a search: `done` is 0 for those. */
NF_INLINE void nf_target(nf_options *restrict o, int n) {
    for (int i = 0; i < n; i++) {
        double F = o->forward[i], K = o->strike[i], sign = o->kind[i], T = o->years[i];
        double value = o->price[i] * (o->coin[i] != 0.0 ? F : 1.0) / o->discount[i];
        double gain = sign * (F - K), intrinsic = nf_most(gain, 0.0), bound = sign > 0.0 ? F : K;
        double code = value < intrinsic * (1.0 - NF_ROUNDINGS) ? NF_BELOW_INTRINSIC : NF_OK;
        code = value >= bound ? NF_ABOVE_BOUND : code;
        code = T <= 0.0 ? NF_EXPIRED : code;
        code = value - value == 0.0 ? code : NF_BAD_INPUT;
        code = nf_valid(o, i) > 0.0 ? code : NF_BAD_INPUT;
        double outside = value - intrinsic, mean = __builtin_sqrt(F * K);
        double sought = outside > NF_ROUNDINGS * intrinsic ? 1.0 : 0.0, at_strike = outside / mean > 0.0 ? sought : 0.0;
        sought = F == K ? at_strike : sought;
        o->code[i] = code;
        o->done[i] = code == NF_OK ? 1.0 - sought : 1.0;
        o->mean[i] = mean;
        o->worth[i] = outside;
        o->missing[i] = (bound - value) / mean;
    }
    for (int i = 0; i < n; i++) {
        double F = o->forward[i], K = o->strike[i], mean = o->mean[i], outside = o->worth[i];
        double x = nf_size(nf_log_ratio(F, K)), turn = __builtin_sqrt(2.0 * x), most = nf_least(F, K) / mean;
        double lifted = outside < NF_TINY ? outside * NF_LIFT : outside, lift = outside < NF_TINY ? NF_LOG_LIFT : 0.0;
        double fall = nf_mills(turn), worth = outside / mean, missing = o->missing[i];
        double at_turn = most * NF_DENSITY_0 * (turn < 1e-3 ? turn : 0.5 * NF_ROOT_TWO_PI - fall);
        o->x[i] = x;
        o->turn[i] = turn;
        o->most[i] = most;
        o->log[i] = nf_log_ratio(lifted, mean) - lift;
        o->worth[i] = worth;
        o->at_turn[i] = at_turn;
        o->place[i] = worth < at_turn ? NF_BELOW : (missing < worth ? NF_ABOVE : NF_BETWEEN);
        o->turn_mills[i] = fall;
    }
}

/* Put a first guess where the search is not done. */
NF_INLINE void nf_guess(nf_options *restrict o, int n) {
    for (int i = 0; i < n; i++) {
        double x = o->x[i], most = o->most[i], turn = o->turn[i];
        double e = nf_exp(nf_log_ratio(nf_most(x, NF_LEAST), 1.0) - o->log[i]), q = nf_log_ratio(1.0 + e, 1.0);
        double r = __builtin_sqrt(q);
        double over = 1.0 / NF_ROOT_TWO_PI + r * (0.025621377469616 + r * (0.0374423022002669 + r * 0.0223341862376638));
        double under = 1.0 + r * (0.0582155749938428 + r * (0.118224873454358 + r * (0.0266129002339609
            + r * (0.0223341862376638 * 0.7071067811865476))));
        double below = nf_least(x * under / (over * q), turn);

        double p = 0.5 * o->missing[i] / (most * (0.5 + o->turn_mills[i] * NF_DENSITY_0));
        double tail = nf_least(nf_log_ratio(4.0 * p * (1.0 - p), 1.0), 0.0);
        double half = 2.0 / (3.141592653589793 * NF_WINITZKI) + 0.5 * tail;
        double inner = nf_most(__builtin_sqrt(half * half - tail * (1.0 / NF_WINITZKI)) - half, 0.0);
        double d1 = __builtin_sqrt(2.0 * inner);
        double line = turn + (o->worth[i] - o->at_turn[i]) * NF_ROOT_TWO_PI / most;
        double above = nf_most(d1 + __builtin_sqrt(d1 * d1 + 2.0 * x), line);
        double guess = o->place[i] == NF_BELOW ? below : above;
        o->s[i] = o->done[i] > 0.0 ? o->s[i] : guess;
    }
}

/* Take steps until all have come close, or are lost. */
NF_INLINE void nf_search(nf_options *restrict o, int n, int steps) {
    for (uint64_t pending = 1; pending && steps > 0; steps--) {
        uint64_t series = 0;
        for (int i = 0; i < n; i++) {
            double s = o->s[i], t = 0.5 * s, a = o->x[i] / s, most = o->most[i], near, far;
            double exponent = -0.5 * (a * a + t * t), density = NF_DENSITY_0 * nf_exp(exponent);
            o->exponent[i] = exponent;
            o->density[i] = density;
            double held = nf_least(a, NF_FARTHEST);
            nf_mills_pair(nf_size(held - t), held + t, &near, &far);
            double sum = near + far, fall = near - far;
            o->gap[i] = a >= t ? most - density * fall : density * sum;
            o->fall[i] = a >= t ? fall : most / density - sum;
            o->a[i] = held;
            series |= t < NF_SMALL * (held + 1.0) ? 1u : 0u;
        }
        if (series)
            for (int i = 0; i < n; i++) {
                double a = o->a[i], t = 0.5 * o->s[i], fall = nf_mills_fall(a, t);
                o->fall[i] = t < NF_SMALL * (a + 1.0) ? fall : o->fall[i];
            }
        pending = 0;
        for (int i = 0; i < n; i++) {
            double s = o->s[i], x = o->x[i], fall = o->fall[i], density = o->density[i], missing = o->gap[i];
            double place = o->place[i], wanted = o->log[i];
            int below = place == NF_BELOW, above = place == NF_ABOVE;
            double shy = o->missing[i], over_log = below ? fall : missing, under_log = below ? NF_ROOT_TWO_PI : shy;
            double log = nf_log_ratio(over_log, under_log);
            double rate = (above ? density : 1.0) / (above ? missing : fall), whole = log + o->exponent[i];
            double over = 1.0 / whole;
            double newton = o->worth[i] / density - fall, bend = above ? rate : 0.0, twist = 2.0 * bend * bend;
            double newton_above = log / rate, newton_below = whole * (wanted - whole) / wanted * fall;
            double bend_below = -(1.0 + 2.0 * over) * rate, twist_below = (2.0 + (6.0 + 6.0 * over) * over) * rate * rate;
            newton = above ? newton_above : newton;
            newton = below ? newton_below : newton;
            bend = below ? bend_below : bend;
            twist = below ? twist_below : twist;
            double over_s = 1.0 / nf_most(s, NF_STILL), ratio = x * over_s, square = ratio * ratio * over_s;
            double second = square - 0.25 * s, third = second * second - 3.0 * square * over_s - 0.25;
            third += 3.0 * bend * second + twist;
            second += bend;
            double step = newton * (1.0 + 0.5 * newton * second)
                / (1.0 + newton * (second + newton * third * (1.0 / 6.0)));
            double done = o->done[i], next = s + step;
            o->s[i] = done > 0.0 ? s : next;
            double close = nf_size(newton) <= NF_CLOSE * s ? 1.0 : 0.0;
            close = next > 0.0 ? close : 0.0;
            close = next <= NF_MOST_SPREAD ? close : 0.0;
            done = nf_most(done, close);
            o->done[i] = done;
            pending |= done == 0.0 && next == next ? 1u : 0u;
        }
    }
}

NF_INLINE void nf_solve_body(nf_options *restrict o, int groups) {
    const int n = groups * NF_GROUP;
    uint64_t started = 0, open = 0;
    nf_target(o, n);
    for (int i = 0; i < n; i++) {
        double start = o->start[i] * __builtin_sqrt(o->years[i]);
        double usable = start > 0.0 && start <= NF_MOST_SPREAD ? 1.0 : 0.0;
        o->sought[i] = 1.0 - o->done[i];
        o->s[i] = usable > 0.0 ? start : NF_NO_NUMBER;
        started |= usable > 0.0 ? 1u : 0u;
        open |= o->done[i] == 0.0 ? 1u : 0u;
    }
    if (open && started) {
        nf_search(o, n, NF_TRIES);
        open = 0;
        for (int i = 0; i < n; i++)
            open |= o->done[i] == 0.0 ? 1u : 0u;
    }
    if (open) {
        nf_guess(o, n);
        nf_search(o, n, NF_STEPS);
    }
    for (int i = 0; i < n; i++) {
        double found = o->sought[i] > 0.0 ? o->s[i] / __builtin_sqrt(o->years[i]) : 0.0;
        o->row[0][i] = o->code[i] == NF_OK ? found : NF_NO_NUMBER;
    }
}

/* --- one source for each vector unit */

#define NF_UNIT(name, how) \
    how static void nf_price_##name(nf_options *o, int groups) { nf_price_body(o, groups); } \
    how static void nf_solve_##name(nf_options *o, int groups) { nf_solve_body(o, groups); }

typedef struct {
    const char *name;
    void (*price)(nf_options *, int);
    void (*solve)(nf_options *, int);
} nf_unit;

NF_UNIT(plain, )
#if defined(__x86_64__) && defined(__GNUC__)
#define NF_X86 1
#define NF_AVX2 "avx2,fma,bmi,bmi2"
#define NF_AVX512 NF_AVX2 ",avx512f,avx512dq,avx512vl,avx512bw"
NF_UNIT(avx2, __attribute__((target(NF_AVX2))))
#ifdef __clang__
NF_UNIT(avx512, __attribute__((target(NF_AVX512), min_vector_width(512))))
#else
NF_UNIT(avx512, __attribute__((target(NF_AVX512 ",prefer-vector-width=512"))))
#endif
#endif

static const nf_unit nf_units[] = {
    {"plain", nf_price_plain, nf_solve_plain},
#ifdef NF_X86
    {"avx2", nf_price_avx2, nf_solve_avx2},
    {"avx512", nf_price_avx512, nf_solve_avx512},
#endif
};

/* How many of the units this machine has. */
static int nf_units_here(void) {
    int found = 1;
#ifdef NF_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
        found = 2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
            && __builtin_cpu_supports("avx512bw"))
            found = 3;
    }
#endif
    return found;
}

#endif
