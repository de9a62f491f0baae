//! What is known of a tenant without asking anybody: its keys opened, its credentials judged, its URL read.
//!
//! A file of its own because a test does the same before it asks, and whoever looks at a whole fleet does nothing else.

use super::{Fingerprint, Prepared, Prober, credentials, fingerprint};
use crate::cipher::{Inspection, KeyId, KeyState, inspect};
use crate::failure::{Failure, FailureClass};
use crate::finding::Finding;
use crate::tenant::{Role, Tenant};
use crate::url::Address;

/// A stored key, looked at.
#[derive(Clone, Copy, Debug)]
pub struct Looked {
    /// Its state.
    pub state: KeyState,
    /// The encryption key that opens it.
    pub key_id: Option<KeyId>,
    /// Whether it is spelt as it is written today; true where it does not open.
    pub canonical: bool,
}

/// What is known of a tenant that has a data source.
#[derive(Debug)]
pub struct Offline {
    /// Its keys, service and anon.
    pub keys: [(Role, Looked); 2],
    /// What is wrong with its credentials.
    pub findings: Vec<Finding>,
    /// Why it cannot be used as a role, as far as that is known beforehand and not the key's own state.
    pub failures: Vec<Failure>,
    /// For comparing tenants; none where the URL cannot be read.
    pub fingerprint: Option<Fingerprint>,
}

impl Looked {
    pub(super) fn of(inspection: &Inspection) -> Self {
        let opened = inspection.opened.as_ref();
        Self {
            state: inspection.state,
            key_id: opened.map(|opened| opened.key_id),
            canonical: opened.is_none_or(|opened| opened.canonical),
        }
    }
}

impl Prober {
    /// Looks at a tenant; none without a data source. Asks nobody and opens every key, also those of a SQLite file,
    /// which tests ignore.
    #[must_use]
    pub fn look(&self, tenant: &Tenant) -> Option<Offline> {
        let source = tenant.source.as_ref()?;
        let address = source.url.parse();
        let looked = |role| Looked::of(&inspect(Some(&self.ring), source.key(role)));
        let address = match address {
            Ok(Address::Sqlite(_)) | Err(_) => {
                let failure = address
                    .as_ref()
                    .err()
                    .map(|why| Failure::with(FailureClass::UrlRefused, why.to_string()));
                let keys = [Role::Service, Role::Anon].map(|role| (role, looked(role)));
                let print = address.as_ref().ok().map(|address| fingerprint(&[], address, tenant));
                let failures = failure.into_iter().collect();
                return Some(Offline { keys, findings: Vec::new(), failures, fingerprint: print });
            }
            Ok(address) => address,
        };
        let mut findings = Vec::new();
        let prepared: [Prepared; 2] =
            [Role::Service, Role::Anon].map(|role| self.prepare(source, &address, role, &mut findings));
        credentials::compare(&prepared, source, &address, &mut findings);
        let own = |one: &Prepared| match &one.login {
            Err(failure) if !is_of_the_key(failure.class) => Some(failure.clone()),
            _ => None,
        };
        Some(Offline {
            keys: prepared.each_ref().map(|one| (one.role, one.looked)),
            failures: prepared.iter().filter_map(own).collect(),
            fingerprint: Some(fingerprint(&prepared, &address, tenant)),
            findings,
        })
    }
}

/// Whether a failure only repeats the state of the key.
fn is_of_the_key(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::KeyMissing
            | FailureClass::KeyPlaintext
            | FailureClass::KeyHex
            | FailureClass::KeyUnreadable
    )
}
