//! The file of a state store examined.

use std::time::Instant;

use sqlx::{Executor, Row};

use super::SqliteStore;
use crate::state::row::{Stored, decode};
use crate::state::{CachePlace, CachedPage, Found, StateError, Vitals};
use crate::tenant::TenantId;

/// Rows on one page.
const PAGE: i64 = 500;

impl SqliteStore {
    pub(in crate::state) async fn vitals(&self) -> Result<Vitals, StateError> {
        let start = Instant::now();
        self.position().await?;
        let lag = start.elapsed();
        let writable = self.limited(async {
            let mut held = self.writer.take().await?;
            held.connection().execute("BEGIN IMMEDIATE").await?;
            held.connection().execute("ROLLBACK").await?;
            held.keep();
            Ok(())
        });
        Ok(Vitals { lag, writable: writable.await, server: None })
    }

    pub(in crate::state) async fn cached(&self, from: Option<&CachePlace>) -> Result<CachedPage, StateError> {
        let after = match from {
            Some(CachePlace::After(tenant)) => tenant.as_str(),
            _ => "",
        };
        let namespace = &self.identity.namespace;
        let rows = self.limited(async {
            let mut held = self.reader.take().await?;
            let sql = "SELECT tenant, expires, code, content FROM cached WHERE namespace = ?1 AND tenant > ?2
                       ORDER BY tenant LIMIT ?3";
            let query = sqlx::query(sql).bind(namespace).bind(after).bind(PAGE);
            let mut rows: Vec<(String, Stored<Vec<u8>>)> = Vec::new();
            for row in held.connection().fetch_all(query).await? {
                let stored =
                    Stored { expires: row.try_get(1)?, code: row.try_get(2)?, content: row.try_get(3)? };
                rows.push((row.try_get(0)?, stored));
            }
            held.keep();
            Ok(rows)
        });
        let rows = rows.await?;
        let full = i64::try_from(rows.len()).is_ok_and(|length| length == PAGE);
        let next = rows.last().filter(|_| full).map(|(tenant, _)| CachePlace::After(tenant.clone()));
        let now = self.identity.clock.now();
        let judged = rows.into_iter().map(|(tenant, stored)| {
            let tenant = TenantId::new(tenant);
            let found = match &self.identity.authenticator {
                Some(authenticator) => decode(&stored.view(), &tenant, namespace, authenticator, now),
                None => Found::Nothing,
            };
            (tenant, found)
        });
        Ok((judged.collect(), next))
    }
}
