//! How an object is cut into parts.

use crate::base::limits::{MIB, OBJECT_LEN_MAX, PART_LEN_MAX, PART_LEN_MIN, PART_NUMBER_MAX};
use crate::client::Error;

/// Large enough that a part's round trip is small beside its transfer, small enough that little is lost when a
/// connection breaks. 10,000 of them make 156 GiB.
pub const PART_LEN_DEFAULT: u64 = 16 * MIB;

/// Pipes of unknown length send this many parts of the first length before parts begin to grow: 6.25 GiB.
const PIPE_STEADY_PARTS: u16 = 400;
/// Over this many parts the length grows to S3's maximum. The rest, 9,350 parts of 5 GiB, makes 50 TB.
const PIPE_GROWING_PARTS: u16 = 250;

/// An object cut into parts of one length, the last of which may be shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Of the whole object, in bytes.
    pub len: u64,
    pub part_len: u64,
}

/// One part of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub number: u16,
    pub offset: u64,
    pub len: u64,
}

impl Plan {
    /// A plan for `len` bytes, in parts of the wished length or longer if there would be more than 10,000.
    pub fn new(len: u64, part_len: Option<u64>) -> Result<Plan, Error> {
        let part_len = part_len.unwrap_or(PART_LEN_DEFAULT);
        if !(PART_LEN_MIN..=PART_LEN_MAX).contains(&part_len) {
            return Err(Error::Usage("a part has from 5 MiB to 5 GiB".into()));
        }
        if len > OBJECT_LEN_MAX {
            return Err(Error::Usage(format!(
                "an object has at most {OBJECT_LEN_MAX} bytes, this one {len}"
            )));
        }
        let least = len.div_ceil(u64::from(PART_NUMBER_MAX)).div_ceil(MIB) * MIB;
        Ok(Plan { len, part_len: part_len.max(least) })
    }

    /// How many parts; an empty object has one empty part.
    pub fn count(&self) -> u16 {
        let count = self.len.div_ceil(self.part_len).max(1);
        u16::try_from(count).expect("a plan has at most 10,000 parts")
    }

    /// # Panics
    /// If there is no such part.
    pub fn part(&self, number: u16) -> Part {
        assert!((1..=self.count()).contains(&number), "part {number} of {}", self.count());
        let offset = u64::from(number - 1) * self.part_len;
        Part { number, offset, len: self.part_len.min(self.len - offset) }
    }

    pub fn parts(self) -> impl Iterator<Item = Part> {
        (1..=self.count()).map(move |number| self.part(number))
    }
}

/// The length of part `number` of a pipe whose end nobody knows: constant, then growing, so that 10,000 parts reach
/// 50 TB. Without growth, a pipe would have to guess its length or fail at 156 GiB.
pub fn pipe_part_len(number: u16, first: u64) -> u64 {
    let grown = number.saturating_sub(PIPE_STEADY_PARTS).min(PIPE_GROWING_PARTS);
    if grown == PIPE_GROWING_PARTS {
        return PART_LEN_MAX;
    }
    let growth = (PART_LEN_MAX as f64 / first as f64).powf(f64::from(grown) / f64::from(PIPE_GROWING_PARTS));
    ((first as f64 * growth) as u64).div_ceil(MIB) * MIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_object_without_gap_or_overlap() {
        for len in
            [0, 1, PART_LEN_DEFAULT - 1, PART_LEN_DEFAULT, PART_LEN_DEFAULT + 1, 1 << 40, OBJECT_LEN_MAX]
        {
            let plan = Plan::new(len, None).unwrap();
            let mut end = 0;
            for part in plan.parts() {
                assert_eq!(part.offset, end, "{len}");
                end += part.len;
            }
            assert_eq!(end, len);
            assert!(plan.part_len <= PART_LEN_MAX);
        }
    }

    #[test]
    fn part_sizes_grow_so_that_10_000_parts_fit() {
        assert_eq!(Plan::new(100, None).unwrap().count(), 1);
        assert_eq!(Plan::new(10_000 * PART_LEN_DEFAULT, None).unwrap().part_len, PART_LEN_DEFAULT);
        let plan = Plan::new(10_000 * PART_LEN_DEFAULT + 1, None).unwrap();
        assert_eq!(plan.part_len, PART_LEN_DEFAULT + MIB);
        assert!(plan.count() <= 10_000);
        assert!(Plan::new(OBJECT_LEN_MAX + 1, None).is_err());
        assert!(Plan::new(100, Some(PART_LEN_MIN - 1)).is_err());
        assert!(Plan::new(100, Some(PART_LEN_MAX + 1)).is_err());
    }

    #[test]
    fn a_pipe_reaches_50_terabytes_in_10_000_parts() {
        for first in [PART_LEN_MIN, PART_LEN_DEFAULT, PART_LEN_MAX] {
            let lens: Vec<u64> = (1..=10_000).map(|number| pipe_part_len(number, first)).collect();
            assert!(lens.iter().sum::<u64>() >= 50_000_000_000_000, "{first}");
            assert!(lens.is_sorted());
            assert_eq!(lens[0], first);
            assert!(lens.iter().all(|len| (PART_LEN_MIN..=PART_LEN_MAX).contains(len)));
        }
    }
}
