//! What earlier deliveries of a fetch have stored: kept in `progress`, because a file's key is known only with its
//! bytes.

use bus::{Bus, BusError, Revision};
use proto_schemas::content::StoredFile;
use proto_schemas::progress::FetchProgress;
use proto_schemas::topology::PROGRESS;
use runtime::Job;

/// The record of one fetch.
pub(super) struct Earlier {
    key: String,
    record: FetchProgress,
}

impl Earlier {
    /// Looks the record up, if there can be one.
    pub(super) async fn look_up(bus: &Bus, key: String, job: &Job) -> Result<Self, BusError> {
        let mut record = FetchProgress::default();
        if job.is_redelivery() {
            let found: Option<Revision<FetchProgress>> = bus.get(&PROGRESS, &key).await?;
            record = found.map(|found| found.record).unwrap_or_default();
        }
        Ok(Self { key, record })
    }

    /// A file of the fetch, if it is stored.
    pub(super) fn file(&self, index: usize) -> Option<&StoredFile> {
        self.record.files.get(index)?.as_ref()
    }

    /// Writes down which files are stored by now, if that is news.
    pub(super) async fn keep(
        self,
        bus: &Bus,
        stored: Vec<Option<StoredFile>>,
        job: &Job,
    ) -> Result<(), BusError> {
        if stored.iter().all(Option::is_none) || stored == self.record.files {
            return Ok(());
        }
        let identity = format!("{}:{}:{}", self.key, job.sequence, job.delivered);
        let record = FetchProgress { files: stored };
        bus.put(&PROGRESS, &self.key, &record, &identity, job.trace).await
    }
}
