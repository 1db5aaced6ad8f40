# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Option maths, compiled. `netfeed.engine.black` and `black_volatility` define it; option.h holds the arithmetic.

What a call is given is taken into blocks of 64 lanes: an array as it lies, a number for all lanes, and whatever else
numpy can make an array of after a conversion.
"""

cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.math cimport NAN
from libc.stdint cimport int8_t, uint8_t
from libc.string cimport memcpy

import numpy as np

cdef extern from "option.h" nogil:
    ctypedef struct Unit "nf_unit":
        const char *name
        void (*price)(Options *, int) noexcept nogil
        void (*solve)(Options *, int) noexcept nogil
    const Unit nf_units[1]
    int nf_units_here()

cdef enum:
    COLUMNS = 8                     # at most, of what a call is given
    NUMBER = 0                      # what a column is: one number, doubles, signed or unsigned bytes
    DOUBLES = 1
    SIGNED = 2
    UNSIGNED = 3

cdef int unit = nf_units_here() - 1
UNITS = tuple(nf_units[k].name.decode() for k in range(nf_units_here()))


def use(name):
    """Choose among UNITS, for tests and measurements; the last is used from the start. Raises: ValueError."""
    global unit
    unit = UNITS.index(name)


cdef void price_block(Options *options, int groups) noexcept nogil:
    """Price 8 options a group, and give all Greeks."""
    nf_units[unit].price(options, groups)


cdef void solve_block(Options *options, int groups) noexcept nogil:
    """Find the volatilities of 8 options a group: row 0."""
    nf_units[unit].solve(options, groups)


cdef void fill(Options *options, int kind, double forward, double strike, double years, double discount,
               bint inverse) noexcept nogil:
    cdef int k
    for k in range(GROUP):
        options.kind[k] = kind
        options.forward[k] = forward
        options.strike[k] = strike
        options.years[k] = years
        options.discount[k] = discount
        options.coin[k] = inverse


cdef int price_scalar(int kind, double forward, double strike, double years, double volatility, double discount,
                      bint inverse, double *values) noexcept nogil:
    """Write the `ROWS` values of one option, and give its code."""
    cdef Options options
    cdef int k
    fill(&options, kind, forward, strike, years, discount, inverse)
    for k in range(GROUP):
        options.volatility[k] = volatility
    price_block(&options, 1)
    for k in range(ROWS):
        values[k] = options.row[k][0]
    return <int>options.code[0]


cdef int solve_scalar(int kind, double price, double forward, double strike, double years, double discount,
                      bint inverse, double guess, double *volatility) noexcept nogil:
    """Write the volatility that makes a price, and give its code; a guess may be NaN."""
    cdef Options options
    cdef int k
    fill(&options, kind, forward, strike, years, discount, inverse)
    for k in range(GROUP):
        options.price[k] = price
        options.start[k] = guess
    solve_block(&options, 1)
    volatility[0] = options.row[0][0]
    return <int>options.code[0]


cdef struct Column:
    int form
    double number
    const char *first
    Py_ssize_t stride


@cython.final
@cython.internal
cdef class Given:
    """What a call was given: columns of one length, held while they are read."""

    cdef Column columns[COLUMNS]
    cdef Py_buffer views[COLUMNS]
    cdef int held
    cdef Py_ssize_t count           # of options; -1 while no array was seen

    def __cinit__(self):
        self.held = 0
        self.count = -1

    def __dealloc__(self):
        while self.held:
            self.held -= 1
            PyBuffer_Release(&self.views[self.held])

    cdef bint take(self, int k, object value) except -1:
        """Take a number, or a one-dimensional array of doubles or bytes; say no to all else."""
        cdef Column *column = &self.columns[k]
        cdef Py_buffer *view
        if isinstance(value, (float, int)):
            column.form = NUMBER
            column.number = value
            return True
        if not isinstance(value, np.ndarray):
            return False
        view = &self.views[self.held]
        PyObject_GetBuffer(value, view, PyBUF_STRIDES | PyBUF_FORMAT)
        self.held += 1
        if view.ndim != 1 or not self.fits(view.shape[0]):
            return False
        column.form = form_of(view.format)
        column.first = <const char *>view.buf
        column.stride = view.strides[0]
        return column.form != NUMBER

    cdef bint fits(self, Py_ssize_t length):
        if self.count < 0:
            self.count = length
        return length == self.count

    cdef void read(self, int k, Py_ssize_t start, int count, double *lanes) noexcept nogil:
        """Read lanes of a column; what is beyond `count` up to a whole group repeats the first."""
        cdef Column *column = &self.columns[k]
        cdef const char *at = column.first + start * column.stride
        cdef int lane, whole = (count + GROUP - 1) // GROUP * GROUP
        if column.form == NUMBER:
            for lane in range(whole):
                lanes[lane] = column.number
            return
        if column.form == DOUBLES and column.stride == sizeof(double):
            memcpy(lanes, at, count * sizeof(double))
        elif column.form == SIGNED and column.stride == 1:
            for lane in range(count):
                lanes[lane] = (<const int8_t *>at)[lane]
        elif column.form == DOUBLES:
            for lane in range(count):
                memcpy(&lanes[lane], at + lane * column.stride, sizeof(double))
        elif column.form == SIGNED:
            for lane in range(count):
                lanes[lane] = (<const int8_t *>(at + lane * column.stride))[0]
        else:
            for lane in range(count):
                lanes[lane] = (<const uint8_t *>(at + lane * column.stride))[0]
        for lane in range(count, whole):
            lanes[lane] = lanes[0]


cdef int form_of(const char *format) noexcept:
    """Say what a buffer's format is, NUMBER for one that needs a conversion."""
    if format[0] == 0 or format[1] != 0:
        return NUMBER
    if format[0] == b"d":
        return DOUBLES
    if format[0] == b"b":
        return SIGNED
    return UNSIGNED if format[0] == b"B" or format[0] == b"?" else NUMBER


cdef Given given(tuple values):
    """Take all columns, after a conversion by numpy where they are not plain. Raises: ValueError by its broadcasting."""
    cdef Given found = Given()
    cdef bint plain = True
    cdef int k
    for k in range(len(values)):
        plain = plain and found.take(k, values[k])
    if not plain:
        found = Given()
        for k, value in enumerate(np.broadcast_arrays(*(np.asarray(value) for value in values))):
            found.take(k, np.ascontiguousarray(value, np.float64).reshape(-1))
    if found.count < 0:
        found.count = 1
    return found


@cython.final
@cython.internal
cdef class Target:
    """An array that is written: `rows` of `count` numbers."""

    cdef Py_buffer view
    cdef bint held
    cdef Py_ssize_t rows

    def __cinit__(self, array, bytes format, int dimensions, Py_ssize_t count):
        self.held = False
        if not isinstance(array, np.ndarray) or array.dtype.char.encode() != format or array.ndim != dimensions:
            raise ValueError(f"what is written must be an array of {format.decode()!r} in {dimensions} dimensions")
        PyObject_GetBuffer(array, &self.view, PyBUF_STRIDES | PyBUF_WRITABLE)
        self.held = True
        self.rows = self.view.shape[0] if dimensions == 2 else 1
        if not 1 <= self.rows <= ROWS or self.view.shape[dimensions - 1] != count:
            raise ValueError(f"{count} options need values of 1 to {ROWS} rows of {count}, and as many codes")

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    cdef char *at(self, Py_ssize_t row, Py_ssize_t start) noexcept nogil:
        if self.view.ndim == 1:
            return <char *>self.view.buf + start * self.view.strides[0]
        return <char *>self.view.buf + row * self.view.strides[0] + start * self.view.strides[1]

    cdef void write(self, Py_ssize_t row, Py_ssize_t start, int count, const double *lanes) noexcept nogil:
        cdef char *at = self.at(row, start)
        cdef Py_ssize_t stride = self.view.strides[self.view.ndim - 1]
        cdef int lane
        if stride == sizeof(double):
            memcpy(at, lanes, count * sizeof(double))
            return
        for lane in range(count):
            memcpy(at + lane * stride, &lanes[lane], sizeof(double))

    cdef void write_codes(self, Py_ssize_t start, int count, const double *lanes) noexcept nogil:
        cdef char *at = self.at(0, start)
        cdef Py_ssize_t stride = self.view.strides[0]
        cdef int lane
        if stride == 1:
            for lane in range(count):
                (<uint8_t *>at)[lane] = <uint8_t><int>lanes[lane]
            return
        for lane in range(count):
            (<uint8_t *>(at + lane * stride))[0] = <uint8_t><int>lanes[lane]


def price_one(int kind, double forward, double strike, double years, double volatility, double discount=1.0,
              bint inverse=False):
    cdef double values[ROWS]
    cdef int code = price_scalar(kind, forward, strike, years, volatility, discount, inverse, values)
    return (values[PRICE], values[DELTA], values[GAMMA], values[VEGA], values[THETA], values[NET_DELTA], values[VANNA],
            values[VOLGA]), code


def solve_one(int kind, double price, double forward, double strike, double years, double discount=1.0,
              bint inverse=False, guess=None):
    cdef double volatility
    cdef int code = solve_scalar(kind, price, forward, strike, years, discount, inverse, NAN if guess is None else guess,
                                 &volatility)
    return volatility, code


def price_and_greeks(kind, forward, strike, years, volatility, discount=1.0, inverse=False, values=None, codes=None):
    cdef Given found = given((kind, forward, strike, years, volatility, discount, inverse))
    cdef Py_ssize_t total = found.count, start = 0
    cdef Target rows, told
    cdef Options options
    cdef int count
    if values is None:
        values = np.empty((ROWS, total))
    if codes is None:
        codes = np.empty(total, np.uint8)
    rows, told = Target(values, b"d", 2, total), Target(codes, b"B", 1, total)
    with nogil:
        while start < total:
            count = <int>min(<Py_ssize_t>LANES, total - start)
            found.read(0, start, count, options.kind)
            found.read(1, start, count, options.forward)
            found.read(2, start, count, options.strike)
            found.read(3, start, count, options.years)
            found.read(4, start, count, options.volatility)
            found.read(5, start, count, options.discount)
            found.read(6, start, count, options.coin)
            price_block(&options, (count + GROUP - 1) // GROUP)
            for row in range(rows.rows):
                rows.write(row, start, count, options.row[row])
            told.write_codes(start, count, options.code)
            start += count
    return values, codes


def implied_volatility(kind, price, forward, strike, years, discount=1.0, inverse=False, guess=None,
                       volatilities=None, codes=None):
    cdef Given found = given((kind, price, forward, strike, years, discount, inverse, NAN if guess is None else guess))
    cdef Py_ssize_t total = found.count, start = 0
    cdef Target row, told
    cdef Options options
    cdef int count
    if volatilities is None:
        volatilities = np.empty(total)
    if codes is None:
        codes = np.empty(total, np.uint8)
    row, told = Target(volatilities, b"d", 1, total), Target(codes, b"B", 1, total)
    with nogil:
        while start < total:
            count = <int>min(<Py_ssize_t>LANES, total - start)
            found.read(0, start, count, options.kind)
            found.read(1, start, count, options.price)
            found.read(2, start, count, options.forward)
            found.read(3, start, count, options.strike)
            found.read(4, start, count, options.years)
            found.read(5, start, count, options.discount)
            found.read(6, start, count, options.coin)
            found.read(7, start, count, options.start)
            solve_block(&options, (count + GROUP - 1) // GROUP)
            row.write(0, start, count, options.row[0])
            told.write_codes(start, count, options.code)
            start += count
    return volatilities, codes
