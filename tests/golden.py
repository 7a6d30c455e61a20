"""Figures of the paper, and the exact counts behind them, derived by hand from Sec. 4.2 and Table 6."""

# depth: (parameters, MACs) of the CIFAR nets with option A, equal to those of the plain nets.
CIFAR = {
    20: (269_722, 40_551_040),
    32: (464_154, 68_862_592),
    44: (658_586, 97_174_144),
    56: (853_018, 125_485_696),
    110: (1_727_962, 252_887_680),
    1202: (19_421_274, 2_829_238_912),
}
