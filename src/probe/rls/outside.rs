//! What a login gets at past every table and policy: attributes, the server's files and catalogue, other servers, the
//! functions that policies call. Only who logs in to the server gets at these; over REST they are out of reach.

use super::Verdict;
use crate::sanitize::printable;
use crate::source::evidence::{Actor, Facts};

/// Whether an actor owns the table, or one that shares rows with it.
pub(super) fn owns(facts: &Facts, number: usize) -> bool {
    facts.relations.iter().any(|relation| {
        relation.rank < 2 && relation.access.iter().any(|access| access.actor == number && access.owner)
    })
}

/// Why the login itself is privileged, if it is.
pub(super) fn privilege(facts: &Facts, own: &Actor) -> Option<&'static str> {
    let privileged = [
        (own.is_super, "SUPERUSER"),
        (own.bypass, "BYPASSRLS"),
        (own.powers || own.calls.is_some(), "CREATEROLE, REPLICATION or access to the server's files"),
        (own.catalog, "access to the server's catalogue"),
        (owns(facts, 0), "owner of the table"),
    ];
    privileged.into_iter().find_map(|(holds, why)| holds.then_some(why))
}

/// Why it is not known what the login reads, if there is anything of the kind.
pub(super) fn outside(facts: &Facts) -> Option<Verdict> {
    let by_role = facts.actors.iter().find_map(way);
    let owned = facts.functions.iter().find(|function| function.owned);
    by_role
        .or_else(|| {
            owned.map(|function| {
                format!(
                    "the login can replace the function {}(), which a policy or a trigger may call; ALTER FUNCTION … OWNER TO another role \
                     would settle it",
                    printable(&function.name)
                )
            })
        })
        .map(Verdict::unknown)
}

fn way(actor: &Actor) -> Option<String> {
    let name = printable(&actor.name);
    if actor.powers {
        Some(format!(
            "`{name}` has CREATEROLE, REPLICATION or access to the server's files, and can give itself more; taking that \
             from it would settle it"
        ))
    } else if actor.catalog {
        Some(format!(
            "`{name}` may read pg_statistic, where values of every table are, or the passwords of others; taking \
             pg_read_all_data or that grant from it would settle it"
        ))
    } else if let Some(function) = &actor.calls {
        Some(format!(
            "`{name}` may call {}(), which passes by every policy; REVOKE EXECUTE on it to settle it",
            printable(function)
        ))
    } else {
        actor.server.as_ref().map(|server| {
            format!(
                "`{name}` may use the foreign server `{}`, and what is read there is not known; REVOKE USAGE on it to settle it",
                printable(server)
            )
        })
    }
}
