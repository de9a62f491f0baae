//! After a rotation: cached rows, in the state store and in every process, no longer say what the application database
//! says. Nothing here undoes a rotation, and nothing here may fail it: what cannot be told is said loudly. A signal cuts
//! the telling short and nothing else: what was committed is still to be reported.

use crate::cli::interrupt::Interrupt;
use crate::cli::output::Output;
use crate::cli::resolve::Resolved;
use crate::cli::stores::Place;
use crate::state::{Cleared, Scope, StateError};

/// How many processes have heard that what they have cached no longer counts.
#[derive(Debug, Default)]
pub(super) struct Announced {
    pub(super) processes_told: u64,
}

/// Invalidates the cached rows of every process that shares these settings.
pub(super) async fn announce(
    resolved: &Resolved,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Announced {
    let place = Place::new(resolved);
    let cleared = match &place {
        Ok(place) => tokio::select! {
            biased;
            cleared = clear(place) => cleared.map_err(|error| error.to_string()),
            code = interrupt.received() => Err(code.word().to_owned()),
        },
        Err(error) => Err(error.message.clone()),
    };
    match cleared {
        // Nobody has ever kept anything there, or it is elsewhere than these settings say.
        Ok(None) => {
            output.note(&format!(
                "there is no state store at {}: no running process was told",
                place.map(|place| place.address()).unwrap_or_default()
            ));
            Announced::default()
        }
        Ok(Some(cleared)) => {
            let rows = cleared.tenants.len();
            output.note(&format!(
                "the cache: {rows} rows forgotten, processes told to forget theirs: {}",
                cleared.told
            ));
            let deaf = cleared.living.saturating_sub(cleared.told);
            if deaf > 0 {
                output.warning(&format!(
                    "{deaf} of {} processes did not take note in time: each goes on with what it has until it hears of \
                     this, or ends; `boothds stats` names them",
                    cleared.living
                ));
            }
            if !cleared.logged {
                output.warning(
                    "the state store has no memory left for its log: a process that was away for a moment did not hear \
                     of it; restart the services, or say `boothds clear-cache --all` again",
                );
            }
            Announced { processes_told: cleared.told }
        }
        Err(error) => {
            output.warning(&format!(
                "the stored keys are changed, but no running process was told: {error}; services go by what they have \
                 cached until it expires: restart them, or say `boothds clear-cache --all` once the store serves"
            ));
            Announced::default()
        }
    }
}

async fn clear(place: &Place) -> Result<Option<Cleared>, StateError> {
    let Some(store) = place.open_existing(None).await? else { return Ok(None) };
    let cleared = store.invalidate(&Scope::All, None).await?;
    store.close().await;
    Ok(Some(cleared))
}
