//! Arithmetic modulo the polynomial of a CRC.
//!
//! A CRC is the remainder of a polynomial over GF(2). Polynomials are written as the reflected CRCs have them: the
//! highest bit is the coefficient of x^0.

/// Powers x^(2^k) that are kept: x^8 (one byte) is x^(2^3), and a length in bytes has 64 bits.
const POWERS: usize = 3 + 64;

/// What a reflected CRC divides by, and x^(2^k) modulo that.
pub(crate) struct Polynomial {
    /// Its degree, which is the CRC's length in bits.
    pub(crate) width: u32,
    /// Its coefficients below the highest.
    bits: u64,
    powers: [u64; POWERS],
}

pub(crate) static CRC32: Polynomial = Polynomial::new(32, 0xEDB8_8320);
pub(crate) static CRC32C: Polynomial = Polynomial::new(32, 0x82F6_3B78);
pub(crate) static CRC64NVME: Polynomial = Polynomial::new(64, 0x9A6C_9329_AC4B_C9B5);

impl Polynomial {
    const fn new(width: u32, bits: u64) -> Polynomial {
        // x^1 is the bit below the highest.
        let mut polynomial = Polynomial { width, bits, powers: [1 << (width - 2); POWERS] };
        let mut k = 1;
        while k < POWERS {
            polynomial.powers[k] = polynomial.multiply(polynomial.powers[k - 1], polynomial.powers[k - 1]);
            k += 1;
        }
        polynomial
    }

    /// The product of two polynomials, modulo this one.
    const fn multiply(&self, left: u64, mut right: u64) -> u64 {
        let mut product = 0;
        let mut coefficient = 1 << (self.width - 1);
        while coefficient != 0 {
            if left & coefficient != 0 {
                product ^= right;
            }
            // right times x: what leaves at the low end is x^width, which is the polynomial modulo itself.
            right = (right >> 1) ^ (if right & 1 != 0 { self.bits } else { 0 });
            coefficient >>= 1;
        }
        product
    }

    /// x^exponent modulo this polynomial.
    #[cfg(any(test, target_arch = "x86_64"))]
    pub(crate) const fn power(&self, exponent: usize) -> u64 {
        let mut product = 1 << (self.width - 1);
        let mut k = 0;
        while k < usize::BITS as usize {
            if exponent >> k & 1 != 0 {
                product = self.multiply(product, self.powers[k]);
            }
            k += 1;
        }
        product
    }

    /// What `remainder` becomes when `len` bytes of zeros follow.
    pub(crate) fn append_zeros(&self, remainder: u64, len: u64) -> u64 {
        let set_bits = (0..64).filter(|bit| len >> bit & 1 != 0);
        set_bits.fold(remainder, |remainder, bit| self.multiply(remainder, self.powers[3 + bit]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raises_x_to_any_power() {
        for polynomial in [&CRC32, &CRC32C, &CRC64NVME] {
            let one = 1 << (polynomial.width - 1);
            let mut expected = one;
            for exponent in 0..300 {
                assert_eq!(polynomial.power(exponent), expected, "x^{exponent}");
                expected = polynomial.multiply(expected, one >> 1);
            }
            assert_eq!(polynomial.power(8 * 12_345), polynomial.append_zeros(one, 12_345));
        }
    }
}
