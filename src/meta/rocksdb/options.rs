//! RocksDB's settings, and why each is what it is.
//!
//! Two column families: `inline` for the bytes of small objects, with large values in blob files, and `records` for
//! all other tables. They share one write-ahead log, so a transaction over both is still one atomic write.

use ::rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel,
    LruCacheOptions, Options,
};

use super::Settings;

pub const RECORDS: &str = "records";
pub const INLINE: &str = "inline";
const FAMILIES: usize = 2;

/// Write-ahead logs kept to be written again: a sync into blocks that exist already costs a quarter of one that
/// allocates. Every flush begins a new one, and those that hold records are all given up at once, when these are flushed too
/// ([`Settings::max_wal_len`] bounds how many): fewer than that, and most logs would be deleted and made anew.
const RECYCLED_WALS: usize = 8;
/// One flush and one compaction at a time: two cores are shared with the requests.
const BACKGROUND_JOBS: i32 = 2;
/// Large enough that a page of a listing reads few blocks and indexes stay small, small enough that a page of common
/// prefixes, which reads one of each sorted run for each, finds them in the cache: with 16 KiB it takes half as long again.
const BLOCK_LEN: usize = 8 << 10;
/// Bounds the human-readable LOG files, which otherwise grow for ever.
const INFO_LOG_LEN_MAX: usize = 4 << 20;
const INFO_LOGS_MAX: usize = 4;
/// Write buffers a family may fill while the first is being flushed; when all are full, commits wait. That makes the
/// memory for writes a bound rather than an aim.
const WRITE_BUFFERS: usize = 3;
/// The cache in four pieces, each with its lock. In RocksDB's own choice of 64 a piece of half a megabyte does not
/// hold the filter of one large table file, which is then read anew for every key.
const CACHE_SHARD_BITS: i32 = 2;
/// Memory of one compaction's read-ahead, for each file it reads. The default of 2 MiB is made for hard disks.
const COMPACTION_READAHEAD_LEN: usize = 512 << 10;
/// Writes of flushes and compactions reach the disk in steps of this size rather than all at the end, where a commit's
/// sync would wait for them.
const SYNC_STEP_LEN: u64 = 1 << 20;
/// Small tables, so that a compaction that was triggered by deletions rewrites little.
const TABLE_FILE_LEN: u64 = 16 << 20;
/// A table file in which so many of so many neighbouring entries are deletions is compacted even though its level is
/// not full. Without that, the oldest end of the Garbage table and whatever a user emptied stays a field of tombstones
/// that every listing wades through.
const TOMBSTONE_WINDOW: usize = 1024;
const TOMBSTONES_IN_WINDOW: usize = 256;
/// The same for tombstones that are still in memory: a scan that passes this many has the memtable flushed.
const TOMBSTONES_IN_MEMORY: &str = "20000";

/// Settings of a family that can only be set on an open database: the crate has no setter for them.
pub const SET_WHEN_OPEN: &[(&str, &str)] = &[("memtable_op_scan_flush_trigger", TOMBSTONES_IN_MEMORY)];

/// The settings of the whole database.
pub fn database(settings: &Settings) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    write_ahead_log(&mut options, settings);

    options.set_max_open_files(settings.open_files_max);
    options.set_max_background_jobs(BACKGROUND_JOBS);
    options.set_bytes_per_sync(SYNC_STEP_LEN);
    options.set_compaction_readahead_size(COMPACTION_READAHEAD_LEN);
    // The closing of an iterator may delete obsolete files; that is no work for a thread somebody waits for.
    options.set_avoid_unnecessary_blocking_io(true);
    // One thread writes: nothing is gained by preparing for several.
    options.set_allow_concurrent_memtable_write(false);
    options.set_enable_write_thread_adaptive_yield(false);

    options.set_log_level(LogLevel::Info);
    options.set_max_log_file_size(INFO_LOG_LEN_MAX);
    options.set_keep_log_file_num(INFO_LOGS_MAX);
    // Statistics go to the metrics; RocksDB's own history of them would only take memory.
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

fn write_ahead_log(options: &mut Options, settings: &Settings) {
    options.set_recycle_log_file_num(RECYCLED_WALS);
    options.set_max_total_wal_size(settings.max_wal_len);
    // Recycled logs end in the remains of their former life, which look like a damaged record. The two stricter modes
    // cannot tell the difference, and RocksDB silently turns recycling off under them. Point-in-time recovery stops at
    // the first record that does not follow on; a commit is acknowledged only when it and all before it are synced, so
    // what lies behind that point after a crash was never acknowledged.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    // A closed log that is missing or shorter than what was synced into it stops the opening instead. Works together
    // with recycling: a log leaves the manifest before it is used again.
    options.set_track_and_verify_wals_in_manifest(true);
}

/// The column families, with one block cache for both.
pub fn families(settings: &Settings) -> Vec<ColumnFamilyDescriptor> {
    let mut cache = LruCacheOptions::default();
    cache.set_capacity(settings.block_cache_len);
    cache.set_num_shard_bits(CACHE_SHARD_BITS);
    let cache = Cache::new_lru_cache_opts(&cache);
    vec![
        ColumnFamilyDescriptor::new(RECORDS, records(settings, &cache)),
        ColumnFamilyDescriptor::new(INLINE, inline(settings, &cache)),
    ]
}

fn records(settings: &Settings, cache: &Cache) -> Options {
    let mut options = Options::default();
    options.set_block_based_table_factory(&tables(cache));
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(settings.write_buffer_len / (FAMILIES * WRITE_BUFFERS));
    options.set_max_write_buffer_number(WRITE_BUFFERS as i32);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_target_file_size_base(TABLE_FILE_LEN);
    options.set_max_bytes_for_level_base(4 * TABLE_FILE_LEN);
    // The ratio for whole files: one half deletions.
    options.add_compact_on_deletion_collector_factory(TOMBSTONE_WINDOW, TOMBSTONES_IN_WINDOW, 0.5);
    options
}

fn inline(settings: &Settings, cache: &Cache) -> Options {
    let mut options = records(settings, cache);
    options.set_enable_blob_files(true);
    options.set_min_blob_size(settings.inline_blob_min_len);
    // Users' bytes are mostly compressed already, and each is read back by a checksum that was computed without it.
    options.set_blob_compression_type(DBCompressionType::None);
    options.set_enable_blob_gc(true);
    options.set_blob_gc_age_cutoff(0.25);
    // Blob files of the oldest quarter that are half garbage are rewritten without waiting for a compaction that
    // happens to come by.
    options.set_blob_gc_force_threshold(0.5);
    options.set_blob_compaction_readahead_size(COMPACTION_READAHEAD_LEN as u64);
    options
}

fn tables(cache: &Cache) -> BlockBasedOptions {
    let mut tables = BlockBasedOptions::default();
    tables.set_block_size(BLOCK_LEN);
    tables.set_block_cache(cache);
    tables.set_bloom_filter(10.0, false);
    tables.set_optimize_filters_for_memory(true);
    // Indexes and filters count as cache too: memory is what the settings say, whatever the number of files.
    tables.set_cache_index_and_filter_blocks(true);
    tables.set_cache_index_and_filter_blocks_with_high_priority(true);
    tables.set_pin_l0_filter_and_index_blocks_in_cache(true);
    tables
}
