//! The table of MD5's 64 steps ([RFC 1321](https://www.rfc-editor.org/rfc/rfc1321), 3.4).
//!
//! A step is `a = b + rotate(a + f(b, c, d) + word + constant)`. The next one waits for it, so what counts is how
//! soon a step follows on the one before: everything that does not need `b` is added up first. The constants are
//! hidden from the compiler (`black_box(&K)`), which would otherwise add them last: a fifth of the speed.

/// The constants of the 64 steps: 2^32 times the sine of 1, 2, 3 and so on.
#[rustfmt::skip]
pub(super) const K: [u32; 64] = [
    0xD76A_A478, 0xE8C7_B756, 0x2420_70DB, 0xC1BD_CEEE, 0xF57C_0FAF, 0x4787_C62A, 0xA830_4613, 0xFD46_9501,
    0x6980_98D8, 0x8B44_F7AF, 0xFFFF_5BB1, 0x895C_D7BE, 0x6B90_1122, 0xFD98_7193, 0xA679_438E, 0x49B4_0821,
    0xF61E_2562, 0xC040_B340, 0x265E_5A51, 0xE9B6_C7AA, 0xD62F_105D, 0x0244_1453, 0xD8A1_E681, 0xE7D3_FBC8,
    0x21E1_CDE6, 0xC337_07D6, 0xF4D5_0D87, 0x455A_14ED, 0xA9E3_E905, 0xFCEF_A3F8, 0x676F_02D9, 0x8D2A_4C8A,
    0xFFFA_3942, 0x8771_F681, 0x6D9D_6122, 0xFDE5_380C, 0xA4BE_EA44, 0x4BDE_CFA9, 0xF6BB_4B60, 0xBEBF_BC70,
    0x289B_7EC6, 0xEAA1_27FA, 0xD4EF_3085, 0x0488_1D05, 0xD9D4_D039, 0xE6DB_99E5, 0x1FA2_7CF8, 0xC4AC_5665,
    0xF429_2244, 0x432A_FF97, 0xAB94_23A7, 0xFC93_A039, 0x655B_59C3, 0x8F0C_CC92, 0xFFEF_F47D, 0x8584_5DD1,
    0x6FA8_7E4F, 0xFE2C_E6E0, 0xA301_4314, 0x4E08_11A1, 0xF753_7E82, 0xBD3A_F235, 0x2AD7_D2BB, 0xEB86_D391,
];

/// Calls the macro `$step` for each step: the round's function, the four words of the state, the rotation, the
/// number of the step, and which word of the block it takes.
macro_rules! rounds {
    ($step:ident, $a:ident, $b:ident, $c:ident, $d:ident) => {
        $step!(f, $a, $b, $c, $d, 7, 0, 0);
        $step!(f, $d, $a, $b, $c, 12, 1, 1);
        $step!(f, $c, $d, $a, $b, 17, 2, 2);
        $step!(f, $b, $c, $d, $a, 22, 3, 3);
        $step!(f, $a, $b, $c, $d, 7, 4, 4);
        $step!(f, $d, $a, $b, $c, 12, 5, 5);
        $step!(f, $c, $d, $a, $b, 17, 6, 6);
        $step!(f, $b, $c, $d, $a, 22, 7, 7);
        $step!(f, $a, $b, $c, $d, 7, 8, 8);
        $step!(f, $d, $a, $b, $c, 12, 9, 9);
        $step!(f, $c, $d, $a, $b, 17, 10, 10);
        $step!(f, $b, $c, $d, $a, 22, 11, 11);
        $step!(f, $a, $b, $c, $d, 7, 12, 12);
        $step!(f, $d, $a, $b, $c, 12, 13, 13);
        $step!(f, $c, $d, $a, $b, 17, 14, 14);
        $step!(f, $b, $c, $d, $a, 22, 15, 15);
        $step!(g, $a, $b, $c, $d, 5, 16, 1);
        $step!(g, $d, $a, $b, $c, 9, 17, 6);
        $step!(g, $c, $d, $a, $b, 14, 18, 11);
        $step!(g, $b, $c, $d, $a, 20, 19, 0);
        $step!(g, $a, $b, $c, $d, 5, 20, 5);
        $step!(g, $d, $a, $b, $c, 9, 21, 10);
        $step!(g, $c, $d, $a, $b, 14, 22, 15);
        $step!(g, $b, $c, $d, $a, 20, 23, 4);
        $step!(g, $a, $b, $c, $d, 5, 24, 9);
        $step!(g, $d, $a, $b, $c, 9, 25, 14);
        $step!(g, $c, $d, $a, $b, 14, 26, 3);
        $step!(g, $b, $c, $d, $a, 20, 27, 8);
        $step!(g, $a, $b, $c, $d, 5, 28, 13);
        $step!(g, $d, $a, $b, $c, 9, 29, 2);
        $step!(g, $c, $d, $a, $b, 14, 30, 7);
        $step!(g, $b, $c, $d, $a, 20, 31, 12);
        $step!(h, $a, $b, $c, $d, 4, 32, 5);
        $step!(h, $d, $a, $b, $c, 11, 33, 8);
        $step!(h, $c, $d, $a, $b, 16, 34, 11);
        $step!(h, $b, $c, $d, $a, 23, 35, 14);
        $step!(h, $a, $b, $c, $d, 4, 36, 1);
        $step!(h, $d, $a, $b, $c, 11, 37, 4);
        $step!(h, $c, $d, $a, $b, 16, 38, 7);
        $step!(h, $b, $c, $d, $a, 23, 39, 10);
        $step!(h, $a, $b, $c, $d, 4, 40, 13);
        $step!(h, $d, $a, $b, $c, 11, 41, 0);
        $step!(h, $c, $d, $a, $b, 16, 42, 3);
        $step!(h, $b, $c, $d, $a, 23, 43, 6);
        $step!(h, $a, $b, $c, $d, 4, 44, 9);
        $step!(h, $d, $a, $b, $c, 11, 45, 12);
        $step!(h, $c, $d, $a, $b, 16, 46, 15);
        $step!(h, $b, $c, $d, $a, 23, 47, 2);
        $step!(i, $a, $b, $c, $d, 6, 48, 0);
        $step!(i, $d, $a, $b, $c, 10, 49, 7);
        $step!(i, $c, $d, $a, $b, 15, 50, 14);
        $step!(i, $b, $c, $d, $a, 21, 51, 5);
        $step!(i, $a, $b, $c, $d, 6, 52, 12);
        $step!(i, $d, $a, $b, $c, 10, 53, 3);
        $step!(i, $c, $d, $a, $b, 15, 54, 10);
        $step!(i, $b, $c, $d, $a, 21, 55, 1);
        $step!(i, $a, $b, $c, $d, 6, 56, 8);
        $step!(i, $d, $a, $b, $c, 10, 57, 15);
        $step!(i, $c, $d, $a, $b, 15, 58, 6);
        $step!(i, $b, $c, $d, $a, 21, 59, 13);
        $step!(i, $a, $b, $c, $d, 6, 60, 4);
        $step!(i, $d, $a, $b, $c, 10, 61, 11);
        $step!(i, $c, $d, $a, $b, 15, 62, 2);
        $step!(i, $b, $c, $d, $a, 21, 63, 9);
    };
}

pub(super) use rounds;
