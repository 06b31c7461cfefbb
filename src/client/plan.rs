//! How an object is cut into parts.

use crate::base::limits::{MIB, PART_LEN_MAX};
use crate::client::Error;
use crate::client::progress::size;
use crate::wire::limits::Limits;

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
    /// A plan for `len` bytes within what the endpoint accepts, in parts of the wished length or longer if there would
    /// be too many.
    pub fn new(len: u64, part_len: Option<u64>, limits: &Limits) -> Result<Plan, Error> {
        let part_len = part_len.unwrap_or(limits.part_len_preferred);
        if !(limits.part_len_min..=limits.part_len_max).contains(&part_len) {
            let (min, max) = (size(limits.part_len_min), size(limits.part_len_max));
            return Err(Error::Usage(format!("a part has from {min} to {max}")));
        }
        if len > limits.object_len_max {
            let most = limits.object_len_max;
            return Err(Error::Usage(format!("an object has at most {most} bytes, this one {len}")));
        }
        let least = len.div_ceil(u64::from(limits.parts_max)).div_ceil(MIB) * MIB;
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
    use crate::base::limits::{OBJECT_LEN_MAX, PART_LEN_MIN};

    const PART_LEN_DEFAULT: u64 = 16 * MIB;

    fn plan(len: u64, part_len: Option<u64>) -> Result<Plan, Error> {
        Plan::new(len, part_len, &Limits::default())
    }

    #[test]
    fn parts_cover_the_object_without_gap_or_overlap() {
        for len in
            [0, 1, PART_LEN_DEFAULT - 1, PART_LEN_DEFAULT, PART_LEN_DEFAULT + 1, 1 << 40, OBJECT_LEN_MAX]
        {
            let plan = plan(len, None).unwrap();
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
        assert_eq!(plan(100, None).unwrap().count(), 1);
        assert_eq!(plan(10_000 * PART_LEN_DEFAULT, None).unwrap().part_len, PART_LEN_DEFAULT);
        let grown = plan(10_000 * PART_LEN_DEFAULT + 1, None).unwrap();
        assert_eq!(grown.part_len, PART_LEN_DEFAULT + MIB);
        assert!(grown.count() <= 10_000);
        assert!(plan(OBJECT_LEN_MAX + 1, None).is_err());
        assert!(plan(100, Some(PART_LEN_MIN - 1)).is_err());
        assert!(plan(100, Some(PART_LEN_MAX + 1)).is_err());
    }

    #[test]
    fn the_endpoint_s_limits_decide() {
        let limits = Limits {
            part_len_min: MIB,
            part_len_max: 64 * MIB,
            part_len_preferred: 8 * MIB,
            parts_max: 100,
            object_len_max: 1000 * MIB,
            ..Limits::default()
        };
        assert_eq!(Plan::new(80 * MIB, None, &limits).unwrap().part_len, 8 * MIB);
        assert_eq!(Plan::new(1000 * MIB, None, &limits).unwrap().part_len, 10 * MIB);
        assert!(Plan::new(80 * MIB, Some(MIB), &limits).is_ok());
        let refused = Plan::new(80 * MIB, Some(65 * MIB), &limits).unwrap_err().to_string();
        assert_eq!(refused, "a part has from 1.0 MiB to 64 MiB");
        assert!(Plan::new(1001 * MIB, None, &limits).is_err());
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
