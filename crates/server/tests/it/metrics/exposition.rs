//! The text formats of Prometheus and `OpenMetrics`, read strictly.

use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// What was told.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// Name and kind of each family, in order.
    pub(crate) families: Vec<(String, String)>,
    samples: Vec<(String, Labels, f64)>,
}

impl Exposition {
    /// Reads an exposition, and holds it to its rules.
    pub(crate) fn parse(text: &str, is_open_metrics: bool) -> Self {
        let mut read = Self::default();
        let mut seen = BTreeSet::new();
        assert!(text.ends_with('\n') && !text.contains('\r'));
        let end = if is_open_metrics { "# EOF\n" } else { "" };
        let text = text.strip_suffix(end).expect("OpenMetrics says that it ends");
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                read.comment(comment, is_open_metrics, &mut seen);
                continue;
            }
            let (name, labels, value) = sample(line);
            let (family, kind) = read.families.last().expect("a sample comes after its family's head");
            let endings: &[&str] = match (kind.as_str(), is_open_metrics) {
                ("counter", true) => &["_total"],
                ("counter" | "gauge", _) => &[""],
                ("histogram", _) => &["_bucket", "_sum", "_count"],
                other => panic!("{other:?}"),
            };
            assert!(
                endings.iter().any(|ending| name == format!("{family}{ending}")),
                "{line} is in {family}"
            );
            assert!(read.find(&name, &labels).is_none(), "{line} stands twice");
            assert!(value.is_finite() && value >= 0.0, "{line}");
            read.samples.push((name, labels, value));
        }
        read.check_histograms();
        read
    }

    fn comment(&mut self, comment: &str, is_open_metrics: bool, seen: &mut BTreeSet<String>) {
        let mut words = comment.splitn(3, ' ');
        let (what, name, rest) = (words.next().expect("a word"), words.next().expect("a name"), words.next());
        let rest = rest.unwrap_or_else(|| panic!("{comment} ends early"));
        match what {
            "HELP" => assert!(seen.insert(name.into()) && rest.len() > 10, "{comment}"),
            "TYPE" => {
                assert!(seen.contains(name), "{comment} comes before its HELP");
                self.families.push((name.into(), rest.into()));
            }
            "UNIT" => {
                assert!(is_open_metrics && name.ends_with(&format!("_{rest}")), "{comment}");
                assert_eq!(self.families.last().expect("a family").0, name);
            }
            other => panic!("{other}"),
        }
    }

    fn check_histograms(&self) {
        let histograms = self.families.iter().filter(|(_, kind)| kind == "histogram");
        for (family, _) in histograms {
            let of = |ending: &str| {
                let name = format!("{family}{ending}");
                self.samples.iter().filter(move |(found, ..)| *found == name)
            };
            let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
            for (_, labels, value) in of("_bucket") {
                let mut labels = labels.clone();
                let bound = labels.remove("le").expect("a bucket has a bound");
                series.entry(labels).or_default().push((number(&bound), *value));
            }
            assert_eq!(series.len(), of("_count").count(), "{family}");
            for (labels, buckets) in series {
                assert!(
                    buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1),
                    "{family}"
                );
                let last = *buckets.last().expect("a bucket");
                let count = self.find(&format!("{family}_count"), &labels).expect("a count");
                assert_eq!(last, (f64::INFINITY, count), "{family} {labels:?}");
                let sum = self.find(&format!("{family}_sum"), &labels).expect("a sum");
                assert!(count > 0.0 || sum == 0.0, "{family}");
            }
        }
    }

    fn find(&self, name: &str, labels: &Labels) -> Option<f64> {
        let found = self.samples.iter().find(|(found, of, _)| found == name && of == labels);
        found.map(|(_, _, value)| *value)
    }

    /// The value of a sample, such as `chinwag_sessions{face="sse"}`; 0 where it is not told.
    pub(crate) fn get(&self, sample: &str) -> f64 {
        let (name, labels, _) = self::sample(&format!("{sample} 0"));
        self.find(&name, &labels).unwrap_or(0.0)
    }

    /// All samples of a name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = (&Labels, f64)> {
        let of = self.samples.iter().filter(move |(found, ..)| found == name);
        of.map(|(_, labels, value)| (labels, *value))
    }
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        text => text.parse().unwrap_or_else(|_| panic!("{text} is no number")),
    }
}

fn sample(line: &str) -> (String, Labels, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line} is no sample"));
    let (name, labels) = match series.split_once('{') {
        None => (series, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("the labels end")),
    };
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    assert!(!name.is_empty() && name.chars().all(good), "{line}");
    let mut read = Labels::new();
    for label in labels.split(',').filter(|label| !label.is_empty()) {
        let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        let value = value.strip_suffix('"').unwrap_or_else(|| panic!("{line}"));
        assert!(name.chars().all(good) && !value.contains(['"', '\\', '\n']), "{line}");
        assert!(read.insert(name.into(), value.into()).is_none(), "{line}");
    }
    (name.into(), read, number(value))
}
