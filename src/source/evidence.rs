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
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The database's name.
    pub database: String,
    /// The roles that are judged, the login first.
    pub actors: Vec<Actor>,
    /// The tables and views in scope, the probed one first.
    pub relations: Vec<Relation>,
    /// Functions that policies may call, with their bodies.
    pub functions: Vec<Function>,
    /// Whether the functions are those that the service credential was told, which asked for both.
    pub functions_of_service: bool,
    /// Functions that run with their owner's rights and can be called by an actor: those that return rows of a relation
    /// in scope, with [`RlsScope::All`] every one.
    pub definers: Vec<Definer>,
    /// What was seen; the failure if looking ended early, so that nothing is known by sight.
    pub sights: Option<Result<Vec<Sight>, Failure>>,
}

impl Facts {
    /// The same facts for an anon login that was asked about, as if it had asked by itself: it comes first, and then
    /// whoever it may switch to. `None` if nothing is known of it, or it is the login that asked.
    #[must_use]
    pub fn as_login(&self, name: &str) -> Option<Self> {
        let own = self.actors.iter().position(|actor| actor.name == name && !actor.is_self)?;
        let mut kept = Vec::new();
        // A superuser can become anybody, and is judged as itself.
        if !self.actors[own].is_super {
            kept.extend(
                (0..self.actors.len()).filter(|number| *number != own && self.actors[*number].switch),
            );
        }
        kept.sort_by_key(|number| &self.actors[*number].name);
        kept.insert(0, own);
        let mut facts = self.of_actors(&kept);
        for (number, actor) in facts.actors.iter_mut().enumerate() {
            (actor.is_self, actor.settable) = (number == 0, true);
        }
        Some(facts)
    }

    /// The same facts for some of the actors, in this order; without what was seen.
    #[must_use]
    pub fn of_actors(&self, kept: &[usize]) -> Self {
        let place = |number: usize| kept.iter().position(|one| *one == number);
        let mut facts = Self { sights: None, ..self.clone() };
        facts.actors = kept.iter().filter_map(|number| self.actors.get(*number).cloned()).collect();
        for relation in &mut facts.relations {
            relation.access.retain_mut(|access| place(access.actor).map(|new| access.actor = new).is_some());
            relation.access.sort_by_key(|access| access.actor);
            for policy in &mut relation.policies {
                policy.applies = policy.applies.iter().filter_map(|number| place(*number)).collect();
                policy.applies.sort_unstable();
            }
        }
        for definer in &mut facts.definers {
            definer.actors = definer.actors.iter().filter_map(|number| place(*number)).collect();
        }
        facts
    }
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
    /// It may read the catalogue's tables of values, or of passwords.
    #[serde(default)]
    pub catalog: bool,
    /// A function that it may call and that reads the server's files, or logs in elsewhere without a password.
    #[serde(default)]
    pub calls: Option<String>,
    /// A foreign server that it may use.
    #[serde(default)]
    pub server: Option<String>,
    /// Whether the login may switch to it.
    pub settable: bool,
    /// Whether the login of the anon credential may switch to it.
    #[serde(default)]
    pub switch: bool,
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
    #[serde(default)]
    pub invoker: bool,
    /// It has rules besides that of a view, and they read.
    #[serde(default)]
    pub rules: bool,
    /// It has the tenant column.
    pub has_column: bool,
    /// The type of that column.
    #[serde(rename = "type")]
    pub column_type: Option<String>,
    /// What each actor may do.
    pub access: Vec<Access>,
    /// Its policies.
    #[serde(default)]
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
    /// A trigger may be added, and there is somewhere to make its function.
    #[serde(default)]
    pub trigger: bool,
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
    pub opaque: bool,
}

/// A function that a policy may call.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Function {
    /// Schema and name.
    pub name: String,
    /// `sql`, or `another`.
    pub language: String,
    /// The type of what it returns.
    pub returns: String,
    /// Its source; empty if more than that decides what it does: arguments, settings, or a source too long to be sent.
    pub body: String,
    /// The login of the anon credential owns it, or its schema, or is a member of who does.
    #[serde(default)]
    pub owned: bool,
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
#[derive(Clone, Debug, Default)]
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
    /// With the service key: whether what has the name is a table that keeps its rows itself, and no view or partitions.
    pub is_table: bool,
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
    /// With an anon key that names a tenant in its claims: a row of another tenant than ours.
    Foreign,
    /// With such a key: a row of ours, and none of another.
    Own,
    /// With such a key: a row whose tenant column may not be read.
    Untold,
    /// A row whose tenant column is null, which is nobody's.
    Shared,
    /// No permission on the table.
    Refused,
    /// Something else went wrong.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anon_login_comes_first_with_whoever_it_may_switch_to() {
        let actor = |name: &str, switch| Actor { name: name.to_owned(), switch, ..Actor::default() };
        let mut service = Actor { is_self: true, settable: true, ..actor("service", false) };
        let access = |actor, read| Access { actor, read, ..Access::default() };
        let policy = Policy { applies: vec![0, 2, 3], ..Policy::default() };
        let relation = Relation {
            access: vec![access(0, true), access(1, false), access(2, true), access(3, false)],
            policies: vec![policy],
            ..Relation::default()
        };
        let mut facts = Facts {
            actors: vec![service.clone(), actor("anon", true), actor("login", true), actor("a", true)],
            relations: vec![relation],
            ..Facts::default()
        };
        let own = facts.as_login("login").unwrap();
        let names: Vec<_> = own.actors.iter().map(|actor| (actor.name.as_str(), actor.is_self)).collect();
        assert_eq!(names, [("login", true), ("a", false), ("anon", false)]);
        assert!(own.actors.iter().all(|actor| actor.settable));
        let reads: Vec<_> =
            own.relations[0].access.iter().map(|access| (access.actor, access.read)).collect();
        assert_eq!(reads, [(0, true), (1, false), (2, false)]);
        assert_eq!(own.relations[0].policies[0].applies, [0, 1]);
        assert!(facts.as_login("service").is_none() && facts.as_login("nobody").is_none());
        facts.actors[2].is_super = true;
        assert_eq!(facts.as_login("login").unwrap().actors.len(), 1);
        service.switch = true;
        facts.actors = vec![service, actor("login", true)];
        assert_eq!(facts.as_login("login").unwrap().actors[1].name, "service");
    }
}
