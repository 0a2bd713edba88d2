//! The lines of an export.

use super::{CliError, Tally, next_line, refusal};
use chinwag_store::embedded::archive::{Imported, Importer};
use chinwag_wire::{ArchiveLine, ArchiveMessage};
use std::io::BufRead;

/// Imports an export, line by line. What stands before a bad line is imported.
pub(super) fn import(
    mut input: impl BufRead,
    mut importer: Importer,
    mut tally: Tally,
) -> Result<Tally, CliError> {
    let read = read(&mut input, &mut importer, &mut tally);
    importer.finish().map_err(|error| CliError::Refused(error.to_string()))?;
    read.map(|()| tally)
}

fn read(input: &mut impl BufRead, importer: &mut Importer, tally: &mut Tally) -> Result<(), CliError> {
    let mut line = Vec::new();
    let mut number = 0;
    let mut messages = 0;
    while next_line(input, &mut line)?.is_some() {
        number += 1;
        let parsed = match ArchiveLine::parse(&line) {
            Ok(parsed) => parsed,
            Err(invalid) if number == 1 => return Err(CliError::Refused(format!("line 1: {invalid}"))),
            Err(invalid) => {
                tally.bad(number, &invalid)?;
                continue;
            }
        };
        if (number == 1) != matches!(parsed, ArchiveLine::Head(_)) {
            return Err(CliError::Refused(format!(
                "line {number}: an export has one head, and begins with it"
            )));
        }
        let fate = match parsed {
            ArchiveLine::Head(_) => continue,
            ArchiveLine::Message(message) => {
                messages += 1;
                let ArchiveMessage { chat, seq, ts, sender, text, key, data, revision } = *message;
                importer.message(Imported { chat, seq, ts, sender, text, key, data, revision })
            }
            ArchiveLine::Markers(markers) => importer.markers(&markers.chat, markers.markers),
            ArchiveLine::Block(block) => importer.block(&block.chat, block.by, &block.hold),
            ArchiveLine::End(expected) if expected == messages || tally.bad > 0 => {
                return at_end(input, number);
            }
            ArchiveLine::End(expected) => {
                return Err(CliError::Refused(format!("it ends after {messages} of {expected} messages")));
            }
        };
        match fate {
            Ok(fate) => tally.count(fate),
            Err(error) => refusal(tally, number, &error)?,
        }
    }
    Err(CliError::Refused(format!("it is cut short after line {number}; what it holds is imported")))
}

fn at_end(input: &mut impl BufRead, number: u64) -> Result<(), CliError> {
    match next_line(input, &mut Vec::new())? {
        None => Ok(()),
        Some(()) => Err(CliError::Refused(format!("line {}: something follows its end", number + 1))),
    }
}
