//! What the catalogue alone says of one role and one table: grants, ownership, attributes, policies.

use super::Verdict;
use super::policies::{Deed, Policies, Said};
use crate::finding::FindingCode;
use crate::probe::report::RlsState;
use crate::source::evidence::{Access, Actor, Relation};

/// What the catalogue says, and the finding that it makes.
pub(super) struct ByCatalogue {
    pub(super) verdict: Verdict,
    pub(super) noted: Option<Noted>,
    /// Whether anything can be seen at all.
    pub(super) takes_a_look: bool,
    /// Whether it is policies that keep foreign rows back, so that a look has to confirm that they work.
    pub(super) by_policy: bool,
}

pub(super) struct Noted {
    pub(super) code: FindingCode,
    pub(super) message: String,
}

impl ByCatalogue {
    fn silent(verdict: Verdict, takes_a_look: bool) -> Self {
        Self { verdict, noted: None, takes_a_look, by_policy: false }
    }
}

/// What the catalogue alone says.
pub(super) fn by_catalogue(
    relation: &Relation,
    actor: &Actor,
    access: &Access,
    policies: &Policies<'_>,
) -> ByCatalogue {
    let mut said = as_it_stands(relation, actor, access, policies);
    if access.owner && said.verdict.state == RlsState::Enforced {
        said.verdict = Verdict::unknown(
            "the role has the rights of the table's owner, who can switch row-level security off; ALTER TABLE … OWNER TO \
             another role would settle it",
        );
    }
    said
}

fn as_it_stands(relation: &Relation, actor: &Actor, access: &Access, policies: &Policies<'_>) -> ByCatalogue {
    let sure = |state, code, message: String| ByCatalogue {
        verdict: Verdict::new(state, message.clone()),
        noted: Some(Noted { code, message }),
        takes_a_look: true,
        by_policy: false,
    };
    if matches!(relation.kind.as_str(), "v" | "m") {
        return ByCatalogue::silent(
            Verdict::unknown(
                "it is a view, whose rows no policy of its own guards; probe the table beneath with BOOTHDS_PROBE_TABLE",
            ),
            true,
        );
    }
    let ungranted = "row-level security is off or passed by, and only a missing grant protects";
    match (bypasses(actor, access, relation), relation.rls, access.read) {
        (true, _, true) => sure(RlsState::Exposed, FindingCode::RlsBypass, why_bypassed(actor, access)),
        (false, false, true) => sure(
            RlsState::Exposed,
            FindingCode::RlsOff,
            "row-level security is off, and the table may be read".to_owned(),
        ),
        (true, _, false) | (_, false, false) => {
            sure(RlsState::Disabled, FindingCode::RlsOffUngranted, ungranted.to_owned())
        }
        (false, true, read) => match policies.say(Deed::Read) {
            Said::Closed => ByCatalogue::silent(
                Verdict::new(
                    RlsState::Enforced,
                    "row-level security is on, and no policy lets it read a row",
                ),
                read,
            ),
            Said::Kept if !read => ByCatalogue::silent(
                Verdict::new(
                    RlsState::Enforced,
                    "it may not read the table, and the policies let no foreign row through",
                ),
                false,
            ),
            Said::Kept => ByCatalogue {
                by_policy: true,
                ..ByCatalogue::silent(
                    Verdict::new(RlsState::Enforced, "the policies compare the tenant with the claims"),
                    true,
                )
            },
            Said::Open(policy) if read => sure(
                RlsState::Exposed,
                FindingCode::RlsAlwaysTrue,
                format!("the policy `{policy}` lets everybody through"),
            ),
            Said::Open(policy) => ByCatalogue::silent(
                Verdict::unknown(format!(
                    "only a missing grant protects: the policy `{policy}` would let everybody through; drop it to settle it"
                )),
                false,
            ),
            Said::Unclear(policy) => ByCatalogue::silent(
                Verdict::unknown(format!(
                    "the policy `{policy}` depends on more than the tenant's claims; a restrictive policy that compares \
                 the tenant column with a claim would settle it"
                )),
                read,
            ),
        },
    }
}

/// Whether row-level security does not apply.
pub(super) fn bypasses(actor: &Actor, access: &Access, relation: &Relation) -> bool {
    actor.is_super || actor.bypass || access.owner && !relation.force
}

fn why_bypassed(actor: &Actor, access: &Access) -> String {
    if actor.is_super {
        "the role is a superuser, to whom row-level security does not apply".to_owned()
    } else if actor.bypass {
        "the role has BYPASSRLS".to_owned()
    } else {
        debug_assert!(access.owner, "the third way to pass by");
        "the role has the rights of the table's owner, and row-level security is not forced".to_owned()
    }
}
