//! The cache on the disk.

use std::sync::atomic::AtomicI64;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::one;

/// What is counted of the cache on the disk. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct DiskMetrics {
    /// Answers that were read from it instead of from the origin.
    pub(crate) hits: Counter,
    /// Answers that were written to it.
    pub(crate) written: Counter,
    /// Answers that were not, because it was slow or had failed.
    pub(crate) skipped: Counter,
    /// Answers that could not be written, or were not as they had been written.
    pub(crate) failures: Counter,
    bytes: Gauge<i64, AtomicI64>,
}

impl DiskMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            hits: one(
                registry,
                "weir_pop_disk_hits",
                "Answers from the disk cache",
            ),
            written: one(
                registry,
                "weir_pop_disk_written",
                "Answers written to the disk cache",
            ),
            skipped: one(
                registry,
                "weir_pop_disk_skipped",
                "Answers not written to the disk cache, because it was slow or had failed",
            ),
            failures: one(
                registry,
                "weir_pop_disk_failures",
                "Answers that the disk cache failed to write or to read",
            ),
            bytes: one(
                registry,
                "weir_pop_disk_bytes",
                "Bytes that the disk cache takes",
            ),
        }
    }

    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
