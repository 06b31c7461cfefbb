//! What S3's operations mean: one file each, named as S3 names it, with one function of the same name.
