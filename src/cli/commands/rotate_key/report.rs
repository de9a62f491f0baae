//! What a rotation says: the question before it, the answer behind it, and what must happen next.

use std::time::Instant;

use serde::Serialize;

use super::Announced;
use super::keys::Keys;
use crate::cipher::KeyId;
use crate::cli::args::{Format, RotateKeyArgs};
use crate::cli::exit_code::ExitCode;
use crate::cli::output::Output;
use crate::cli::output::table::{Rows, Tone};
use crate::probe::milliseconds;
use crate::rotation::{Outcome, Reason, Unreadable};

/// What is known before the work.
pub(super) struct Report {
    pub(super) address: String,
    pub(super) dry_run: bool,
    pub(super) from: Vec<KeyId>,
    pub(super) to: KeyId,
    pub(super) start: Instant,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    application_database: &'a str,
    dry_run: bool,
    from_key_ids: &'a [KeyId],
    to_key_id: KeyId,
    tenants: Tenants,
    keys: Keyed,
    unreadable: &'a [Unreadable],
    verified: bool,
    processes_told: u64,
    duration_ms: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tenants {
    total: u64,
    with_data_source: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Keyed {
    rotated: u64,
    already_current: u64,
    sealed: u64,
    unreadable: usize,
}

impl Report {
    /// What is asked before anything is changed.
    pub(super) fn question(&self, plan: &Outcome, keys: &Keys) -> String {
        let tally = &plan.tally;
        let from: Vec<String> = tally.earlier.iter().map(|(key, count)| format!("{key} ({count})")).collect();
        let from = if from.is_empty() { "plaintext".to_owned() } else { format!("key {}", from.join(", ")) };
        let mut text = format!(
            "{} stored keys of {} in {}\n  from {from}\n  to   key {} ({})\n",
            tally.changed(),
            tenants(plan.counts.with_key),
            self.address,
            self.to,
            keys.target_origin,
        );
        for (count, what) in [
            (tally.current, "are under the target already"),
            (tally.sealed, "are plaintext and will be sealed"),
            (tally.unreadable.len() as u64, "cannot be opened and stay as they are"),
        ] {
            if count > 0 {
                text.push_str(&format!("  {count} {what}\n"));
            }
        }
        if !keys.target_is_known() {
            text.push_str(&format!(
                "  Services cannot know key {} yet: it is not among the encryption keys of these settings. From the \
                 commit on, whoever runs without it can open no key.\n",
                self.to
            ));
        }
        text.push_str("Rotate now?");
        text
    }

    /// The answer of a rotation that was refused before it began: which values are in the way.
    pub(super) fn refused(&self, plan: &Outcome, output: &mut Output) {
        if output.format() == Format::Table {
            output.print(&table(&plan.tally.unreadable));
        } else {
            // What would have been done was not.
            let mut undone = plan.clone();
            undone.tally.earlier.clear();
            undone.tally.sealed = 0;
            self.json(&undone, &Announced::default(), output);
        }
    }

    /// The answer.
    pub(super) fn done(
        &self,
        outcome: &Outcome,
        keys: &Keys,
        args: &RotateKeyArgs,
        told: &Announced,
        output: &mut Output,
    ) -> ExitCode {
        let tally = &outcome.tally;
        if output.format() == Format::Table {
            output.print(&table(&tally.unreadable));
            let (did, trial) =
                if self.dry_run { ("would be rotated", ", rolled back") } else { ("rotated", "") };
            let mut line =
                format!("{} stored keys of {} {did}", tally.rotated(), tenants(outcome.counts.with_key));
            if tally.sealed > 0 {
                line.push_str(&format!(", {} sealed for the first time", tally.sealed));
            }
            line.push_str(&format!(
                "; {} were under key {} already; {} cannot be opened",
                tally.current,
                self.to,
                tally.unreadable.len()
            ));
            output.line(&line);
            let all = if outcome.verified { "every stored key" } else { "every stored key but these" };
            output.line(&format!(
                "{all} was read back and opened with key {} alone, in {} ms{trial}",
                self.to,
                milliseconds(self.start.elapsed())
            ));
        } else {
            self.json(outcome, told, output);
        }
        if !self.dry_run {
            self.next(keys, args, output);
        } else if !keys.target_is_known() {
            output.note(&format!("services do not know key {} yet: see docs/key-rotation.md", self.to));
        }
        if tally.unreadable.is_empty() { ExitCode::Ok } else { ExitCode::Unhealthy }
    }

    /// What must happen next.
    fn next(&self, keys: &Keys, args: &RotateKeyArgs, output: &mut Output) {
        let from: Vec<String> = self.from.iter().map(ToString::to_string).collect();
        let from = from.join(", ");
        let current = keys.known.as_ref().map(|ring| ring.current().id());
        let steps = if current == Some(self.to) {
            vec![
                format!("services seal and open with key {} already", self.to),
                "prove it: boothds rotate-key --verify".to_owned(),
                format!("then take {from} out of ENCRYPTION_KEY_PREVIOUS, and restart the services"),
            ]
        } else {
            let place = match (&args.generate, &args.to) {
                (Some(file), _) => format!(" (in {})", file.display()),
                (None, Some(key)) => format!(" ({key})"),
                (None, None) => String::new(),
            };
            vec![
                format!(
                    "now: set ENCRYPTION_KEY to key {}{place} everywhere, and restart the services",
                    self.to
                ),
                format!("keep {from} in ENCRYPTION_KEY_PREVIOUS until nothing writes with it any more"),
                "prove it with the new settings: boothds rotate-key --verify".to_owned(),
                "copy the new key to where you keep such things: without it no tenant can be reached"
                    .to_owned(),
            ]
        };
        for (number, step) in (1..).zip(steps) {
            output.note(&format!("next {number}: {step}"));
        }
    }

    pub(super) fn json(&self, outcome: &Outcome, told: &Announced, output: &mut Output) {
        let tally = &outcome.tally;
        output.json(&Document {
            application_database: &self.address,
            dry_run: self.dry_run,
            from_key_ids: &self.from,
            to_key_id: self.to,
            tenants: Tenants {
                total: outcome.counts.total,
                with_data_source: outcome.counts.with_data_source,
            },
            keys: Keyed {
                rotated: tally.rotated(),
                already_current: tally.current,
                sealed: tally.sealed,
                unreadable: tally.unreadable.len(),
            },
            unreadable: &tally.unreadable,
            verified: outcome.verified,
            processes_told: told.processes_told,
            duration_ms: milliseconds(self.start.elapsed()),
        });
    }
}

/// A count of tenants in words.
pub(super) fn tenants(count: u64) -> String {
    if count == 1 { "1 tenant".to_owned() } else { format!("{count} tenants") }
}

/// The values that cannot be opened, for people; nothing when there are none.
pub(super) fn table(values: &[Unreadable]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let mut rows = Rows::new(["TENANT", "ID", "COLUMN", "REASON", "WHAT IT IS"]);
    for value in values {
        let tone = if value.reason == Reason::EarlierKey { Tone::Plain } else { Tone::Bad };
        rows.add([
            (&value.subdomain, Tone::Plain),
            (value.tenant.as_str(), Tone::Dim),
            (value.column, Tone::Plain),
            (value.reason.as_str(), tone),
            (value.reason.sentence(), Tone::Plain),
        ]);
    }
    format!("{}\n", rows.finish())
}
