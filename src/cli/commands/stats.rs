//! `boothds stats`: how well the caches and pools of the running services serve.

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::Value;

use crate::cli::args::{Format, GlobalArgs, StatsArgs};
use crate::cli::block_on;
use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::{Output, performance};
use crate::cli::resolve::Resolved;
use crate::cli::stores::Place;
use crate::clock::Clock;
use crate::manager::PoolSettings;
use crate::report::{Measured, Performance, fetch, reset};
use crate::secret::Secret;

/// Where the document comes from.
enum Source<'a> {
    Endpoint { url: &'a str, token: Option<Secret> },
    Store { place: Box<Place>, settings: PoolSettings },
}

pub(in crate::cli) fn run(
    args: &StatsArgs,
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<ExitCode, CliError> {
    let resolved = Resolved::new(global, Vec::new(), output)?;
    let source = match &args.endpoint {
        Some(url) => Source::Endpoint { url, token: resolved.serve_token()? },
        None => {
            let settings = PoolSettings::from_settings(&resolved.settings);
            Source::Store { place: Box::new(Place::new(&resolved)?), settings }
        }
    };
    block_on(async |interrupt| match args.watch {
        Some(interval) => watch(&source, interval, output, interrupt).await,
        None => once(&source, args.reset, output).await,
    })
}

async fn once(source: &Source<'_>, reset: bool, output: &mut Output) -> Result<ExitCode, CliError> {
    let document = source.read().await?;
    match output.format() {
        Format::Table => output.print(&performance::table(&document)),
        Format::Json | Format::Jsonl => output.json(&document),
    }
    output.flush();
    // What nobody has got to see is not thrown away.
    if reset && !output.is_closed() {
        source.reset(output).await?;
    }
    Ok(ExitCode::Ok)
}

/// Shows the document again and again, until it is told to stop or nobody reads any more. What fails after the first
/// time is said, and tried again at the next.
async fn watch(
    source: &Source<'_>,
    interval: Duration,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, CliError> {
    // Where colours are not wanted (`NO_COLOR`, a dumb terminal) the movements of the cursor are taken out too.
    let moves = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
    let in_place = output.format() == Format::Table && std::io::stdout().is_terminal() && moves;
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut screen = performance::Screen::default();
    let mut first = true;
    let signal = interrupt.received();
    tokio::pin!(signal);
    loop {
        let read = async {
            ticks.tick().await;
            source.read().await
        };
        let document = tokio::select! {
            biased;
            code = &mut signal => return Ok(code),
            document = read => document,
        };
        match document {
            Ok(document) if in_place => screen.draw(&performance::table(&document), output),
            Ok(document) if output.format() == Format::Table => output.line(&performance::line(&document)),
            Ok(document) => output.json_line(&document),
            Err(error) if first => return Err(error),
            Err(error) => {
                output.error(&error);
                screen = performance::Screen::default();
            }
        }
        output.flush();
        if output.is_closed() {
            return Ok(ExitCode::Ok);
        }
        first = false;
    }
}

impl Source<'_> {
    /// The document of now. A store is opened for each: one that is kept would make itself anew where it was removed.
    async fn read(&self) -> Result<Value, CliError> {
        match self {
            Self::Endpoint { url, token } => Ok(fetch(url, token.as_ref(), false).await?),
            Self::Store { place, settings } => {
                let measured = Measured::read(place.location(), place.identity(None), Clock::System.now());
                let measured = measured.await.map_err(|error| place.failed(&error))?;
                serde_json::to_value(Performance::new(measured, settings))
                    .map_err(|error| CliError::io("cannot write the document", &error.into()))
            }
        }
    }

    async fn reset(&self, output: &mut Output) -> Result<(), CliError> {
        match self {
            Self::Endpoint { url, token } => {
                fetch(url, token.as_ref(), true).await?;
                output.note("the service counts from zero again");
            }
            Self::Store { place, .. } => {
                output.note(&place.describe());
                let told = reset(place.location(), place.identity(None)).await;
                let told = told.map_err(|error| place.failed(&error))?;
                output.note(&format!(
                    "the counts in {} are at zero again; processes told: {told}",
                    place.address()
                ));
            }
        }
        Ok(())
    }
}
