//! What a data source tells about row-level security: facts and sights, not yet judged.
//!
//! A file of its own because it is what the questions of this floor and the judgement of the floor above have in
//! common. All names in it come from a tenant's server: they are made printable before they are shown.

use serde::Deserialize;

use crate::failure::Failure;

/// How far the question about row-level security goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RlsScope {
    /// The probed table, its partitions, and the views over it.
    #[default]
    Table,
    /// Every table with the tenant column too, and what else reaches rows (PostgreSQL).
    All,
    /// It is not asked.
    Off,
}

/// What one login learnt.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// From a PostgreSQL server.
    Postgres(Box<Facts>),
    /// Over REST.
    Rest(RestSight),
}

/// What a PostgreSQL server's catalogue says, and what the roles see.
#[derive(Clone, Debug, Deserialize)]
pub struct Facts {
    /// The database's name.
    pub database: String,
    /// The roles that are judged, the login first.
    pub actors: Vec<Actor>,
    /// The tables and views in scope, the probed one first.
    pub relations: Vec<Relation>,
    /// Functions that policies may call, with their bodies.
    pub functions: Vec<Function>,
    /// Functions that run with their owner's rights and can be called by an actor: those that return rows of a relation
    /// in scope, with [`RlsScope::All`] every one.
    pub definers: Vec<Definer>,
    /// What was seen; the failure if looking ended early, so that nothing is known by sight.
    #[serde(skip)]
    pub sights: Option<Result<Vec<Sight>, Failure>>,
}

/// A role.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// Its name.
    pub name: String,
    /// Whether it is the login itself.
    pub is_self: bool,
    /// Superuser.
    #[serde(rename = "super")]
    pub is_super: bool,
    /// `BYPASSRLS`.
    pub bypass: bool,
    /// `CREATEROLE`, `REPLICATION` or the server's files, by which it can get at everything.
    pub powers: bool,
    /// Whether the login may switch to it.
    pub settable: bool,
}

/// A table or view.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Relation {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Why it is in scope: 0 the probed table; 1 its partitions and children, and the tables that it or they are a part
    /// of; 2 a view, or a table with a rule that reads one of these; 3 another table.
    pub rank: u8,
    /// `pg_class.relkind`.
    pub kind: String,
    /// Row-level security is on.
    pub rls: bool,
    /// For the owner too.
    pub force: bool,
    /// A view that reads with the rights of who asks.
    pub invoker: bool,
    /// It has the tenant column.
    pub has_column: bool,
    /// The type of that column.
    #[serde(rename = "type")]
    pub column_type: Option<String>,
    /// What each actor may do.
    pub access: Vec<Access>,
    /// Its policies.
    pub policies: Vec<Policy>,
}

/// What an actor may do with a relation, by grants and membership.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Access {
    /// The actor's place in [`Facts::actors`].
    pub actor: usize,
    /// Any column may be read.
    pub read: bool,
    /// The tenant column may be read.
    pub column: bool,
    /// It has the rights of the owner.
    pub owner: bool,
    /// `INSERT` into any column.
    pub insert: bool,
    /// `UPDATE` of any column.
    pub update: bool,
    /// `DELETE`.
    pub delete: bool,
    /// `TRUNCATE`, which no policy holds back.
    pub truncate: bool,
}

/// A policy.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Permissive, not restrictive.
    pub permissive: bool,
    /// `pg_policy.polcmd`: `r`, `a`, `w`, `d`, or `*` for all.
    pub command: String,
    /// The actors it applies to.
    pub applies: Vec<usize>,
    /// Its `USING`, as `pg_get_expr` writes it with nothing but `pg_catalog` on the search path.
    pub using: Option<String>,
    /// Its `WITH CHECK`.
    pub check: Option<String>,
    /// It compares with an `=` or goes through a cast of somebody's own, which the text does not always show.
    #[serde(default)]
    pub opaque: bool,
}

/// A function that a policy may call.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Function {
    /// Schema and name.
    pub name: String,
    /// Its language.
    pub language: String,
    /// The type of what it returns.
    pub returns: String,
    /// Its source; empty if more than that decides what it does: arguments, settings, or a source too long to be sent.
    pub body: String,
}

/// A function that runs with its owner's rights.
#[derive(Clone, Debug, Deserialize)]
pub struct Definer {
    /// Schema and name.
    pub name: String,
    /// Who may call it.
    pub actors: Vec<usize>,
    /// It returns rows of a relation in scope.
    pub rows: bool,
}

/// What an actor saw of a relation.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Sight {
    /// The relation's place in [`Facts::relations`].
    pub relation: usize,
    /// The actor's place in [`Facts::actors`].
    pub actor: usize,
    /// With this tenant's claims, or without any.
    pub claims: bool,
    /// Any row; one with a tenant, where the column can be read. `None` when looking failed.
    pub any: Option<bool>,
    /// A row of this tenant.
    pub own: Option<bool>,
    /// A row of another.
    pub foreign: Option<bool>,
    /// A row with the tenant's id in the application database, where no row has the mapped id.
    pub application: Option<bool>,
    /// The SQLSTATE, when looking failed.
    pub code: Option<String>,
}

/// What one key sees over REST.
#[derive(Clone, Debug, Default)]
pub struct RestSight {
    /// With the anon key: any row. With the service key: a row of another tenant.
    pub seen: RestSeen,
    /// With the anon key: how many rows the server's planner expects; nothing when it did not say. It expects none only
    /// where it knows that there can be none, such as where no policy applies; otherwise one at least.
    pub expected: Option<u64>,
    /// With the service key: whether the tenant has rows.
    pub own: Option<bool>,
    /// With the service key: whether there are rows with the id of the application database instead.
    pub application: Option<bool>,
}

/// The answer to a question over REST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RestSeen {
    /// An empty list.
    #[default]
    Nothing,
    /// A row with a tenant's id.
    Row,
    /// A row whose tenant column is null, which is nobody's.
    Shared,
    /// No permission on the table.
    Refused,
    /// Something else went wrong.
    Failed(String),
}
