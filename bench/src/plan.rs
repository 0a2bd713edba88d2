use crate::{BenchError, Server, content::TEXT_MIN_BYTES};
use chinwag_model::limits::TEXT_HARD_MAX_BYTES;
use std::time::Duration;

/// What load to put on a server.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where it goes.
    pub server: Server,
    /// How many at once, or how many a second.
    pub load: Load,
    /// Which requests.
    pub work: Work,
    /// How the chats are chosen.
    pub skew: Skew,
    /// Bytes of each text sent.
    pub text_bytes: usize,
    /// Whether each send carries a key of its own.
    pub keyed: bool,
    /// How long the load runs before it is measured.
    pub warm_up: Duration,
    /// How long it is measured. Unused with [`Load::Staged`], whose stages say it.
    pub duration: Duration,
    /// The longest that one request may take.
    pub request_timeout: Duration,
    /// Threads of the generator.
    pub threads: usize,
    /// Seed of the choices of chat and verb.
    pub seed: u64,
    /// How long a request of an open loop may wait for a connection; then it is given up, as a proxy does whose connections
    /// are all busy. `None`: as long as it takes.
    pub patience: Option<Duration>,
    /// Whether each second is counted by itself, too.
    pub timeline: bool,
}

/// How the requests are timed.
#[derive(Debug, Clone, PartialEq)]
pub enum Load {
    /// Each connection sends its next request once the last is answered.
    Closed {
        /// How many connections.
        connections: usize,
    },
    /// Requests start at a constant rate.
    Open {
        /// Requests a second.
        rate: f64,
        /// Most requests in flight at once; what comes on top waits, and its wait counts.
        connections: usize,
    },
    /// A closed loop whose number of connections follows stages, each a straight line from the stage before.
    Staged(Vec<Stage>),
}

/// A stage of [`Load::Staged`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// How long it lasts.
    pub lasts: Duration,
    /// How many connections there are at its end.
    pub to: u32,
}

/// Which requests are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Work {
    /// A send's JSON to `POST /bench/noop`, which parses it and answers.
    Noop,
    /// The real verbs.
    Verbs {
        /// The share of sends, 0 to 1; the rest pulls the newest 10.
        sends: f64,
        /// Which chats are pulled.
        pulls: Which,
        /// How a pull is written.
        form: Form,
    },
}

/// Which chats are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// One chat, always.
    Hot,
    /// Any, chosen as the sends choose theirs.
    Spread,
}

/// How a pull is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `GET` with a JSON body, as the founding document has it.
    GetBody,
    /// `GET` with a query string, as a browser sends it.
    Query,
    /// `POST` with a JSON body.
    Post,
}

/// How chats are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Skew {
    /// All alike.
    Uniform,
    /// The chat of rank k in proportion to 1/k^s.
    Zipf {
        /// The exponent s, above 0.
        exponent: f64,
    },
}

impl Plan {
    /// Whether the plan can be run.
    ///
    /// # Errors
    /// [`BenchError::Plan`] saying what is wrong.
    pub fn check(&self) -> Result<(), BenchError> {
        let bad = |why: &str| Err(BenchError::Plan(why.into()));
        if self.connections() == 0 || self.threads == 0 {
            return bad("there must be at least one connection and one thread");
        }
        if matches!(self.load, Load::Open { rate, .. } if !(rate.is_finite() && rate > 0.0)) {
            return bad("the rate must be above 0");
        }
        if self.measured().is_zero() {
            return bad("the measured time must be above 0");
        }
        if !(TEXT_MIN_BYTES..=TEXT_HARD_MAX_BYTES).contains(&self.text_bytes) {
            return Err(BenchError::Plan(format!(
                "a text is {TEXT_MIN_BYTES} to {TEXT_HARD_MAX_BYTES} bytes here: it begins with an identity"
            )));
        }
        if matches!(self.work, Work::Verbs { sends, .. } if !(0.0..=1.0).contains(&sends)) {
            return bad("the share of sends is 0 to 100 %");
        }
        if matches!(self.skew, Skew::Zipf { exponent } if !(exponent.is_finite() && exponent > 0.0)) {
            return bad("the exponent of the skew must be above 0");
        }
        Ok(())
    }

    /// Most connections at once.
    pub fn connections(&self) -> usize {
        match &self.load {
            Load::Closed { connections } | Load::Open { connections, .. } => *connections,
            Load::Staged(stages) => stages.iter().map(|stage| stage.to as usize).max().unwrap_or(0),
        }
    }

    /// How long it is measured.
    pub fn measured(&self) -> Duration {
        match &self.load {
            Load::Staged(stages) => stages.iter().map(|stage| stage.lasts).sum(),
            Load::Closed { .. } | Load::Open { .. } => self.duration,
        }
    }

    /// A sentence for people.
    pub fn describe(&self) -> String {
        let work = match self.work {
            Work::Noop => "no-op posts".into(),
            Work::Verbs { sends, pulls, .. } => {
                let pulled = match pulls {
                    Which::Hot => "pulls of the newest 10 of one chat",
                    Which::Spread => "pulls of the newest 10 of any chat",
                };
                let key = if self.keyed { "keyed " } else { "" };
                if sends >= 1.0 {
                    format!("{key}sends")
                } else if sends <= 0.0 {
                    pulled.into()
                } else {
                    format!("{:.0} % {key}sends, the rest {pulled}", sends * 100.0)
                }
            }
        };
        let seconds = self.measured().as_secs_f64();
        match &self.load {
            Load::Closed { connections } => {
                format!("closed loop, {connections} connections, {seconds:.0} s: {work}")
            }
            Load::Open { rate, connections } => format!(
                "open loop, {rate:.0} requests/s over {connections} connections, {seconds:.0} s: {work}"
            ),
            Load::Staged(_) => {
                format!("stages up to {} connections, {seconds:.0} s: {work}", self.connections())
            }
        }
    }
}
