//! One row written for trial, within a transaction that the caller rolls back: whether what was written stands at the end.
//!
//! A file of its own because a rotation needs none of it: it compares pages of rows as it writes them, and its commit is
//! looked at afterwards. Here there is no commit, so that the row itself is read once more when every deferred trigger
//! has had its say.

use super::session::texts;
use super::{Change, Next, RewriteError, Rewriter, Stored, StoredKey, StoredRow};
use crate::catalogue::query::COLUMNS;
use crate::secret::Secret;
use crate::tenant::{Role, TenantId};

/// A row to try a change on.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The primary key.
    pub id: TenantId,
    /// What the row has as its status; empty for none.
    pub status: String,
}

/// How a trial ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Trial {
    /// What was written stands in the row, and nothing else of it has changed.
    Stands,
    /// It does not, in words.
    Spoiled(String),
}

impl Rewriter {
    /// One row with a key for each status that there is, those of the most tenants first.
    ///
    /// # Errors
    /// [`RewriteError::Refused`], [`RewriteError::Lost`].
    pub async fn samples(&mut self, limit: u32) -> Result<Vec<Sample>, RewriteError> {
        const OPERATION: &str = "choose rows of tenants";
        let rows = match self {
            Self::Postgres(back) => {
                let sql = back.table.samples(limit);
                texts(&back.session.ask(OPERATION, sql).await?)
            }
            Self::Sqlite(back) => back.texts(OPERATION, super::sqlite::samples(limit)).await?,
        };
        let sample = |row: Vec<String>| {
            let mut row = row.into_iter();
            let (id, status) = (row.next()?, row.next()?);
            Some(Sample { id: TenantId::new(id), status })
        };
        Ok(rows.into_iter().filter_map(sample).collect())
    }

    /// Writes the keys of a locked row anew, lets deferred constraints and triggers speak, and reads the row again.
    ///
    /// # Errors
    /// As [`Rewriter::write`].
    pub async fn try_on(
        &mut self,
        row: StoredRow,
        anew: impl Fn(&StoredKey) -> Secret,
    ) -> Result<Trial, RewriteError> {
        let id = row.id.clone();
        let [anon, service] = [Role::Anon, Role::Service].map(|role| row.key(role).map(&anew));
        let changes = [Change { row, anon, service }];
        let [change] = &changes;
        let before = self.besides(&id).await?;
        let (stored, _) = self.write(&changes, Next::Nothing).await?;
        if let Some(why) = as_written(change, &stored) {
            return Ok(Trial::Spoiled(why));
        }
        self.settle(change).await?;
        let again = self.lock_named(&[id.as_str()]).await?;
        let after = self.besides(&id).await?;
        let spoiled = still(change, &again).or_else(|| altered(&before, &after));
        Ok(spoiled.map_or(Trial::Stands, Trial::Spoiled))
    }

    /// As [`Rewriter::settle_constraints`], without what the row held or holds in the words for an error.
    async fn settle(&mut self, change: &Change) -> Result<(), RewriteError> {
        let Self::Postgres(back) = self else { return self.settle_constraints().await };
        let settle = Secret::new("SET CONSTRAINTS ALL IMMEDIATE".to_owned());
        let Err(trouble) = back.session.send(settle).await else { return Ok(()) };
        let values: Vec<Secret> = change.values().cloned().collect();
        Err(back
            .session
            .explain_without(&values, "satisfy the deferred constraints of tenants", trouble)
            .await)
    }

    /// What the rows with an id hold besides the keys, in those columns that are read.
    async fn besides(&mut self, id: &TenantId) -> Result<Vec<Vec<String>>, RewriteError> {
        const OPERATION: &str = "read a row of tenants";
        match self {
            Self::Postgres(back) => {
                let sql = back.table.besides(id.as_str());
                Ok(texts(&back.session.ask(OPERATION, sql).await?))
            }
            Self::Sqlite(back) => back.texts(OPERATION, super::sqlite::besides(id.as_str())).await,
        }
    }
}

/// The columns that are read, without the keys.
pub(super) fn other_columns() -> impl Iterator<Item = &'static str> {
    let is_key = |name: &&str| name.ends_with("_key");
    COLUMNS.into_iter().map(|(name, _)| name).filter(move |name| !is_key(name))
}

/// What is wrong with what the database says that it has stored.
fn as_written(change: &Change, stored: &[Stored]) -> Option<String> {
    match stored {
        // A trigger, a rule or a policy may have swallowed it without a word.
        [] => Some("the row was not written, by a trigger, a rule or a policy".to_owned()),
        [one] => differs(change, |role| match role {
            Role::Anon => one.anon.as_ref(),
            Role::Service => one.service.as_ref(),
        })
        .map(|column| {
            format!("something else than the written key was stored in {column}, by a trigger or a rule")
        }),
        _ => Some("more than one row was written, by a rule".to_owned()),
    }
}

/// What is wrong with the row at the end.
fn still(change: &Change, rows: &[StoredRow]) -> Option<String> {
    match rows {
        [] => Some("after the change the row is gone, by a trigger or a rule".to_owned()),
        [row] => differs(change, |role| row.key(role)).map(|column| {
            format!(
                "after the change {column} holds something else than the written key, by a trigger or a rule"
            )
        }),
        _ => Some("more than one row has its id".to_owned()),
    }
}

/// The column of a key that is not there letter by letter as it was written.
fn differs<'k>(change: &Change, now: impl Fn(Role) -> Option<&'k StoredKey>) -> Option<&'static str> {
    let roles = [(Role::Anon, "data_source_anon_key"), (Role::Service, "data_source_service_key")];
    let wrong = |role: Role| match (change.new_key(role), now(role)) {
        (Some(new), Some(StoredKey::Text(now))) => now.expose() != new.expose(),
        (Some(_), _) => true,
        // One that was not written is not there either.
        (None, now) => now.is_some(),
    };
    roles.into_iter().find(|(role, _)| wrong(*role)).map(|(_, column)| column)
}

/// What else of the row has changed.
fn altered(before: &[Vec<String>], after: &[Vec<String>]) -> Option<String> {
    let (Some(before), Some(after)) = (before.first(), after.first()) else {
        return Some("the row could not be read again".to_owned());
    };
    let differs = |(_, (before, after)): &(&str, (&String, &String))| before != after;
    let columns: Vec<&str> =
        other_columns().zip(before.iter().zip(after)).filter(differs).map(|(name, _)| name).collect();
    (!columns.is_empty())
        .then(|| format!("with the keys {} changed, by a trigger or a rule", columns.join(", ")))
}
