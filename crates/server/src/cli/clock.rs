//! `chinwag clock`

use super::{CliError, admin, output::tell, place::DataArgs, time::utc};
use clap::{Args, Subcommand};

const MORE: &str = "\
When the machine's clock jumps forward by more than an hour, a running server lets nothing expire any more: a wrong clock must not delete \
what can't be brought back. So it does where the clock is more than two weeks ahead of when a server last ran in the directory. \
`confirm` is your word that the clock is right now; expiry goes on. Set it right first.";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(super) struct ClockArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say that the clock of a running server's machine is right.
    Confirm {
        #[command(flatten)]
        data: DataArgs,
    },
}

pub(super) async fn run(args: ClockArgs) -> Result<(), CliError> {
    let What::Confirm { data } = args.what;
    let answer = admin::tell(&data.directory()?, "/clock/confirm").await.map_err(|error| match error {
        CliError::Usage(why) => CliError::Usage(format!(
            "{why}; where no server runs there is nothing to confirm: start it first"
        )),
        error => error,
    })?;
    let told = admin::all(answer).await?;
    let not_understood = || CliError::Refused("the server's answer is not understood".into());
    let (word, us) = told.trim_end().split_once(' ').ok_or_else(not_understood)?;
    let now = utc(us.parse::<u64>().map_err(|_| not_understood())? / 1_000_000);
    match word {
        "confirmed" => tell(&format!("confirmed: it is {now}, and what is over expires")),
        "trusted" => tell(&format!("the clock was not in doubt; it is {now}")),
        _ => return Err(not_understood()),
    }
    Ok(())
}
