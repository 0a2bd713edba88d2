//! How it is told: in the text formats of Prometheus and `OpenMetrics`.

use super::{
    CLOSE_CODES, Counter, Face, Histogram, Machine, Metrics, NoRoom, Outcome, Verb,
    machine::as_f64,
    names::{self, Kind, Metric},
};
use crate::hub::Census;
use chinwag_store::vitals::{DiskVitals, TableVitals, Vitals};
use chinwag_wire::ProblemCode;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own, 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// The one that a header `Accept` asks for.
    pub fn asked_for(accept: Option<&[u8]>) -> Self {
        let wanted = b"application/openmetrics-text";
        let names_it = |accept: &[u8]| accept.windows(wanted.len()).any(|part| part == wanted);
        if accept.is_some_and(names_it) { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Everything that there is to tell, at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// Who is there, and what waits for them.
    pub census: Census,
    /// How the store does.
    pub vitals: Vitals,
    /// What the system says.
    pub machine: Machine,
    /// Whether sends are taken.
    pub ready: bool,
}

impl Snapshot {
    /// The exposition.
    pub fn text(self, format: Format) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        let written = match format {
            Format::Prometheus => prometheus_text::encode(&mut text, &registry),
            Format::OpenMetrics => text::encode(&mut text, &registry),
        };
        written.expect("a string takes every write");
        text
    }
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.traffic(&mut page)?;
        self.live(&mut page)?;
        self.store(&mut page)?;
        self.machine(&mut page)
    }
}

impl Snapshot {
    fn traffic(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let all = || {
            let of = |face: &'static Face| {
                Verb::ALL.iter().map(move |verb| {
                    ([face.as_str(), verb.as_str()], &metrics.served[face.index()][verb.index()])
                })
            };
            Face::ALL.iter().flat_map(of).filter(|(_, served)| served.count.get() > 0)
        };
        page.counts(names::REQUESTS, all().map(|(labels, served)| (labels, &served.count)))?;
        page.times(names::REQUEST_SECONDS, all().map(|(labels, served)| (labels, &served.time)))?;
        let errors = ProblemCode::ALL.iter().zip(&metrics.errors);
        page.counts(names::ERRORS, errors.map(|(code, count)| ([code.as_str()], count)))?;
        page.gauge(names::CONNECTIONS, metrics.connections.get())?;
        page.gauge(names::CONNECTIONS_MAX, metrics.connections_max.load(Relaxed))?;
        page.count(names::ACCEPTED, &metrics.accepted)?;
        let refused = NoRoom::ALL.iter().map(|why| ([why.as_str()], &metrics.refused[why.index()]));
        page.counts(names::REFUSED, refused)
    }

    fn live(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let faces = || Face::ALL.iter().filter(|face| **face != Face::Http);
        let sessions = || faces().map(|face| ([face.as_str()], &metrics.sessions[face.index()]));
        page.gauges(
            names::SESSIONS,
            sessions().map(|(face, sessions)| (face, as_f64(sessions.open.load(Relaxed)))),
        )?;
        page.counts(names::SESSIONS_OPENED, sessions().map(|(face, sessions)| (face, &sessions.opened)))?;
        page.gauge(names::USERS, self.census.users)?;
        let codes: Vec<_> = CLOSE_CODES.iter().map(u16::to_string).collect();
        let codes: Vec<_> = codes.iter().map(String::as_str).chain(["client", "gone"]).collect();
        let of = |face: &'static Face| {
            let closes = &metrics.sessions[face.index()].closes;
            codes.iter().zip(closes).map(|(code, count)| ([face.as_str(), *code], count))
        };
        page.counts(names::CLOSES, faces().filter(|face| **face != Face::Poll).flat_map(of))?;
        page.number(names::DELIVERED, self.census.delivered)?;
        page.gauge(names::OUTBOX_EVENTS, self.census.waiting_events)?;
        page.gauge(names::OUTBOX_BYTES, self.census.waiting_bytes)?;
        let outcomes = Outcome::ALL.iter().zip(&metrics.catch_ups);
        page.counts(names::CATCH_UPS, outcomes.map(|(outcome, count)| ([outcome.as_str()], count)))?;
        page.times(names::CATCH_UP_SECONDS, [([], &metrics.catch_up_time)])
    }

    fn store(&self, page: &mut Page<'_>) -> fmt::Result {
        let (metrics, vitals) = (&self.metrics, &self.vitals);
        page.count(names::MESSAGES, &metrics.messages)?;
        page.count(names::CHANGES, &metrics.changes)?;
        page.sizes(names::BATCH_ENTRIES, &metrics.batch_entries)?;
        page.count(names::BATCH_BYTES, &metrics.batch_bytes)?;
        page.times(names::COMMIT_SECONDS, [([], &metrics.commit_time)])?;
        page.gauge(names::QUEUE_MESSAGES, vitals.queue.messages as u64)?;
        page.gauge(names::QUEUE_MAX_MESSAGES, vitals.queue.max_messages as u64)?;
        page.gauge(names::QUEUE_BYTES, vitals.queue.bytes as u64)?;
        page.gauge(names::QUEUE_MAX_BYTES, vitals.queue.max_bytes as u64)?;
        page.gauge(names::READS, vitals.reads as u64)?;
        page.gauge(names::INBOXES_BEHIND, vitals.inboxes_behind as u64)?;
        page.gauges(names::LAST_CHANGE, [([], as_f64(vitals.last_change.0) / 1e6)])?;
        let caches = || vitals.caches.iter();
        page.gauges(names::CACHE_BYTES, caches().map(|cache| ([cache.name], as_f64(cache.bytes))))?;
        page.gauges(
            names::CACHE_CAPACITY,
            caches().map(|cache| ([cache.name], as_f64(cache.capacity_bytes))),
        )?;
        let asked = || caches().filter_map(|cache| Some(([cache.name], cache.asked?)));
        page.numbers(names::CACHE_HITS, asked().map(|(name, asked)| (name, asked.hits)))?;
        page.numbers(names::CACHE_MISSES, asked().map(|(name, asked)| (name, asked.misses)))?;
        page.gauge(names::DISK_ANSWERS, u64::from(vitals.disk.is_some()))?;
        vitals.disk.as_ref().map_or(Ok(()), |disk| on_disk(disk, page))
    }

    fn machine(&self, page: &mut Page<'_>) -> fmt::Result {
        page.gauge(names::READY, u64::from(self.ready))?;
        page.gauge(names::CLOCK_JUMPED, u64::from(self.vitals.expiry_held))?;
        page.gauges(names::BUILD, [([env!("CARGO_PKG_VERSION")], 1.0)])?;
        page.count(names::AUDIT_LOST, &self.metrics.audit_lost)?;
        page.count(names::SPANS_LOST, &self.metrics.spans_lost)?;
        let Machine { resident_bytes, fds, fds_max, cpu_s, start_s } = self.machine;
        let known = |value: Option<u64>| value.map(|value| ([], as_f64(value)));
        page.gauges(names::RSS, known(resident_bytes))?;
        page.gauges(names::FDS, known(fds))?;
        page.gauges(names::FDS_MAX, known(fds_max))?;
        page.seconds(names::CPU_SECONDS, cpu_s)?;
        page.gauges(names::START, start_s.map(|start| ([], start)))
    }
}

fn on_disk(disk: &DiskVitals, page: &mut Page<'_>) -> fmt::Result {
    let mut tables = |metric, read: fn(&TableVitals) -> u64| {
        page.gauges(metric, disk.tables.iter().map(|table| ([table.name.as_str()], as_f64(read(table)))))
    };
    tables(names::TABLE_BYTES, |table| table.bytes)?;
    tables(names::TABLE_FILES, |table| table.files as u64)?;
    tables(names::FIRST_LEVEL_FILES, |table| table.first_level_files as u64)?;
    tables(names::FULL_MEMTABLES, |table| table.full_memtables as u64)?;
    page.gauge(names::MEMTABLE_BYTES, disk.memtable_bytes)?;
    page.gauge(names::JOURNALS, disk.journals as u64)?;
    page.gauge(names::JOURNAL_BYTES, disk.journal_bytes)?;
    page.gauge(names::FLUSHES_WAITING, disk.flushes_waiting as u64)?;
    page.gauge(names::COMPACTIONS, disk.compactions as u64)?;
    page.number(names::COMPACTIONS_DONE, disk.compactions_done as u64)?;
    page.seconds(names::COMPACTING_SECONDS, Some(disk.compacting.as_secs_f64()))?;
    page.gauge(names::DISK_FREE, disk.free_bytes)?;
    page.gauge(names::DISK_TOTAL, disk.total_bytes)?;
    page.gauge(names::DISK_RESERVE, disk.reserve_bytes)
}

/// What is being written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    /// Writes a metric's head, and then each of its samples by `write`. A metric without a sample is left out.
    fn write<'l, const N: usize, T>(
        &mut self,
        metric: Metric,
        samples: impl IntoIterator<Item = ([&'l str; N], T)>,
        write: impl Fn(&mut MetricEncoder<'_>, T) -> fmt::Result,
    ) -> fmt::Result {
        debug_assert_eq!(metric.labels.len(), N, "{}", metric.name);
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let kind = match metric.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        };
        // The encoder adds the endings itself.
        let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
        let (name, unit) = match (name.strip_suffix("_seconds"), name.strip_suffix("_bytes")) {
            (Some(name), _) => (name, Some(Unit::Seconds)),
            (_, Some(name)) => (name, Some(Unit::Bytes)),
            _ => (name, None),
        };
        let mut encoder = self.0.encode_descriptor(name, metric.help, unit.as_ref(), kind)?;
        for (values, sample) in samples {
            let labels: Vec<_> = metric.labels.iter().copied().zip(values).collect();
            if labels.is_empty() {
                write(&mut encoder, sample)?;
            } else {
                write(&mut encoder.encode_family(&labels)?, sample)?;
            }
        }
        Ok(())
    }

    fn counts<'l, 'c, const N: usize>(
        &mut self,
        metric: Metric,
        samples: impl IntoIterator<Item = ([&'l str; N], &'c Counter)>,
    ) -> fmt::Result {
        self.numbers(metric, samples.into_iter().map(|(labels, count)| (labels, count.get())))
    }

    fn count(&mut self, metric: Metric, counter: &Counter) -> fmt::Result {
        self.number(metric, counter.get())
    }

    fn numbers<'l, const N: usize>(
        &mut self,
        metric: Metric,
        samples: impl IntoIterator<Item = ([&'l str; N], u64)>,
    ) -> fmt::Result {
        self.write(metric, samples, |encoder, number| {
            encoder.encode_counter::<NoLabelSet, _, u64>(&number, None)
        })
    }

    fn number(&mut self, metric: Metric, number: u64) -> fmt::Result {
        self.numbers(metric, [([], number)])
    }

    fn seconds(&mut self, metric: Metric, seconds: Option<f64>) -> fmt::Result {
        self.write(metric, seconds.map(|seconds| ([], seconds)), |encoder, seconds| {
            encoder.encode_counter::<NoLabelSet, _, u64>(&seconds, None)
        })
    }

    fn gauges<'l, const N: usize>(
        &mut self,
        metric: Metric,
        samples: impl IntoIterator<Item = ([&'l str; N], f64)>,
    ) -> fmt::Result {
        self.write(metric, samples, |encoder, value| encoder.encode_gauge(&value))
    }

    fn gauge(&mut self, metric: Metric, value: u64) -> fmt::Result {
        self.gauges(metric, [([], as_f64(value))])
    }

    fn times<'l, 'h, const N: usize>(
        &mut self,
        metric: Metric,
        samples: impl IntoIterator<Item = ([&'l str; N], &'h Histogram)>,
    ) -> fmt::Result {
        self.histograms(metric, samples, 1e9)
    }

    fn sizes(&mut self, metric: Metric, histogram: &Histogram) -> fmt::Result {
        self.histograms(metric, [([], histogram)], 1.0)
    }

    /// `per`: how many of a histogram's own units are one of the metric's.
    fn histograms<'l, 'h, const N: usize>(
        &mut self,
        metric: Metric,
        samples: impl IntoIterator<Item = ([&'l str; N], &'h Histogram)>,
        per: f64,
    ) -> fmt::Result {
        let read = samples.into_iter().map(|(labels, histogram)| (labels, histogram.read()));
        let used =
            read.filter(|(labels, (buckets, _))| labels.is_empty() || buckets.iter().any(|(_, n)| *n > 0));
        self.write(metric, used, |encoder, (buckets, sum)| {
            let count = buckets.iter().map(|(_, count)| count).sum();
            let buckets: Vec<_> = buckets
                .into_iter()
                .map(|(bound, count)| (bound.map_or(f64::INFINITY, |bound| as_f64(bound) / per), count))
                .collect();
            encoder.encode_histogram::<NoLabelSet>(as_f64(sum) / per, count, &buckets, None)
        })
    }
}
