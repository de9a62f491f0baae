//! The judgement over REST, where no catalogue can be read: by sight, and by what the server's planner expects.
//!
//! The anon key names no tenant, so any tenant's row that it sees is exposed; one that does name a tenant in its claims is
//! exposed by the rows of others. That it sees none of the rows that the
//! service key sees says how things are now, with this request: a policy that goes by a flag, the time or a header may
//! let through tomorrow, or with a header, what it holds back today. So it does not establish `enforced`. What does is
//! that the planner, asked for its estimate (`Prefer: count=planned`), expects no row at all: it expects one at least
//! unless it knows beforehand that there is none, which for a table that has rows means that no policy applies to the
//! key. It knows the same of partitions that a policy has nothing to do with, and of views, so it has to be a table that
//! keeps its rows itself (`tableoid`). (PostgreSQL clamps every estimate to one row; `clamp_row_est` in its costsize.c.)
//! It believes what functions say of themselves: one that reads a header and is declared IMMUTABLE deceives it; and a
//! function before each request (`db-pre-request`) may make the key another role. `authenticated` would take a user's token,
//! and is not tested.

use super::{Learnt, Verdict, found};
use crate::finding::{Finding, FindingCode};
use crate::probe::report::RlsState;
use crate::source::evidence::{Evidence, RestSeen, RestSight};

/// Judges both audiences.
pub(super) fn judge(
    service: Learnt<'_>,
    anon: Learnt<'_>,
    findings: &mut Vec<Finding>,
) -> (Verdict, Verdict) {
    let authenticated = Verdict::untested("it would take a signed-in user's token");
    let service = sight(service).and_then(Result::ok);
    if let Some(service) = service {
        mapping(service, findings);
    }
    let mut code = FindingCode::RlsVisibleWithoutClaims;
    let anon = match sight(anon) {
        None => Verdict::untested("the anon key was not tested"),
        Some(Err(why)) => Verdict::unknown(why),
        Some(Ok(sight)) => {
            if sight.seen == RestSeen::Foreign {
                code = FindingCode::RlsForeignVisible;
            }
            verdict(service, sight)
        }
    };
    if anon.state == RlsState::Exposed {
        found(findings, code, format!("over REST, with the anon key: {}", anon.reason));
    }
    (anon, authenticated)
}

fn sight<'a>(learnt: Learnt<'a>) -> Option<Result<&'a RestSight, String>> {
    Some(match learnt? {
        Ok(Evidence::Rest(sight)) => Ok(sight),
        Ok(Evidence::Postgres(_)) => Err("another kind of data source answered".to_owned()),
        Err(failure) => Err(format!("it could not be asked ({failure})")),
    })
}

fn verdict(service: Option<&RestSight>, anon: &RestSight) -> Verdict {
    match &anon.seen {
        RestSeen::Row => Verdict::new(
            RlsState::Exposed,
            "a tenant's row is visible with the anon key, which names no tenant",
        ),
        RestSeen::Shared => Verdict::unknown(
            "a row without a tenant is visible with the anon key; whether others are, REST does not tell",
        ),
        RestSeen::Foreign => {
            Verdict::new(RlsState::Exposed, "a row of another tenant is visible with the anon key")
        }
        RestSeen::Untold => Verdict::unknown(
            "a row is visible with the anon key, which names a tenant in its claims, and whose it is cannot be told; GRANT \
             SELECT on the tenant column to settle it",
        ),
        RestSeen::Own => Verdict::unknown(
            "the anon key names a tenant in its claims, and sees this one's rows and none of another; what the policies let \
             through with another key, REST does not tell: a postgres:// data source would settle it",
        ),
        RestSeen::Refused => Verdict::unknown(
            "the anon key may read neither the tenant column nor the id; whether it may read others, and whether row-level \
             security is on, REST does not tell: a postgres:// data source would settle it",
        ),
        RestSeen::Failed(why) => Verdict::unknown(format!("the question with the anon key failed ({why})")),
        RestSeen::Nothing => match service {
            Some(sight @ (RestSight { seen: RestSeen::Row, .. } | RestSight { own: Some(true), .. }))
                if anon.expected == Some(0) =>
            {
                if !sight.is_table {
                    return Verdict::unknown(
                        "rows are there, and the server knows beforehand that none is visible with the anon key; but behind \
                         the name is a view, or a table with partitions, where that may be because of what this request is \
                         about: a postgres:// data source would settle it",
                    );
                }
                Verdict::new(
                    RlsState::Enforced,
                    "rows are there, none is visible with the anon key, and the server knows beforehand that none is: no \
                     policy applies to the role that it is served as",
                )
            }
            Some(RestSight { seen: RestSeen::Row, .. }) if anon.expected.is_some() => Verdict::unknown(
                "rows of other tenants are there, and none is visible with the anon key; but a policy applies to it, and \
                 what that may let through with other rows or another header, REST does not tell: policies TO \
                 authenticated alone, or a postgres:// data source, would settle it",
            ),
            Some(RestSight { seen: RestSeen::Row, .. }) => Verdict::unknown(
                "rows of other tenants are there, and none is visible with the anon key; but whether a policy applies to \
                 it, the server does not tell: a postgres:// data source would settle it",
            ),
            Some(RestSight { seen: RestSeen::Failed(why), .. }) => {
                Verdict::unknown(format!("the question with the service key failed ({why})"))
            }
            Some(RestSight { own: Some(true), .. }) => Verdict::unknown(
                "nothing is visible with the anon key, but no other tenant's row is there to be hidden; one would settle it",
            ),
            Some(_) => Verdict::unknown(
                "nothing is visible with either key: the table may be empty, or the service key be served as anon; rows in \
                 it would settle it",
            ),
            None => Verdict::unknown("it takes the service key to know whether there are rows to be hidden"),
        },
    }
}

fn mapping(service: &RestSight, findings: &mut Vec<Finding>) {
    if service.own != Some(false) {
        return;
    }
    if service.application == Some(true) {
        let message = "over REST: no row has the mapped id, but some have the id of the application database";
        found(findings, FindingCode::TenantOtherId, message.to_owned());
    } else if service.seen == RestSeen::Row {
        let message = "over REST: there are rows of other tenants, but none of this one";
        found(findings, FindingCode::TenantNoRows, message.to_owned());
    }
}
