//! The load generator behind `chinwag bench`: it puts a load on a server, measures it, and verifies what it measured.
//!
//! - **Closed loop**: N connections, each sends its next request once the last is answered. It finds the top rate.
//! - **Open loop**: requests arrive at a constant rate whatever the server does, and a latency counts from the moment
//!   at which its request was *to start*, so a stall shows in every request that had to wait behind it. A closed loop
//!   would fall silent with the server and hide the stall ("coordinated omission").
//!
//! After a load every acknowledged send must be found once, in its place, with its text; and where sessions listened, each
//! must have been given to them once and in order.
//!
//! It speaks HTTP/1.1 by itself over plain sockets, with requests written into one buffer and a parser that reads no
//! more of a reply's head than it needs: it shares the machine's cores with the server under test, and what a full
//! client costs would be charged to the server.
//!
//! Reading order: [`Plan`] (what to do), `content` (what is said), `connection`, `worker` and `pace` (how), `load`,
//! `verify`, [`Report`]; then `live` (sessions) and `inbox`.
//!
//! **Architecture invariant:** this room knows a server only through the wire contract and, where it is given a process
//! id, through what the system tells of any process. It prints nothing; it returns reports.

mod choice;
mod compare;
mod connection;
mod content;
mod deliveries;
pub mod disk;
mod dues;
mod failure;
mod html;
mod inbox;
mod ledger;
mod live;
mod load;
mod numbers;
mod overload;
mod pace;
mod plan;
mod process;
mod reply;
mod report;
mod server;
mod table;
mod tally;
mod timeline;
mod verify;
mod worker;

pub use choice::Rng;
pub use compare::{Comparison, compare};
pub use content::Chats;
use content::Content;
pub use deliveries::Deliveries;
pub use failure::{BenchError, Failure};
pub use html::html;
pub use inbox::{Inbox, inbox};
pub use live::{FanOut, Idle, Storm, fan_out, idle, storm};
pub use overload::{Overload, Second, overload};
pub use plan::{Form, Load, Plan, Skew, Stage, Which, Work};
pub use process::{ProcessId, Usage};
pub use report::{OpReport, ProcessReport, Report, run};
pub use server::Server;
pub use table::{comparison_table, report_table};
pub use verify::Verification;
