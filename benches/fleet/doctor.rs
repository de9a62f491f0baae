//! `doctor --offline` over a fleet of 100,000 tenants, with a state store in which all of them are cached or none: time
//! and peak memory. Each tenant has its own keys, two tokens of 219 bytes, so that all 200,000 are opened and compared.

use boothds::cipher::{EncryptionKey, KeyRing};

use super::ground::Fleet;
use super::peak::peak;
use super::timed::{Timed, count, run};
use crate::measure::{Target, note, verdict};
use crate::support::fleet::TenantRow;
use crate::support::scratch;

const TENANTS: usize = 100_000;
const FEW: usize = 1_000;
const ROUNDS: usize = 3;

/// Measures both fleets.
pub fn measure() {
    let folder = scratch::folder("doctor");
    let state = format!("sqlite:{}/state.db", folder.path().display());
    let mut peaks = Vec::new();
    for tenants in [FEW, TENANTS] {
        let fleet = of(tenants);
        let digits = fleet.variables();
        let variables = digits.into_iter().chain([("BOOTHDS_STATE_URL", state.clone())]).collect::<Vec<_>>();
        let words = [env!("CARGO_BIN_EXE_boothds"), "doctor", "--offline", "--json"];
        let times: Vec<Timed> = (0..ROUNDS).map(|_| run(&words, &variables, "")).collect();
        let best = Timed::best(&times);
        note(&format!(
            "doctor --offline over {tenants} tenants: {:.0} ms, {:.0} ms of processors",
            best.wall, best.cpu
        ));
        let cli = fleet.cli(&words[1..]).env("BOOTHDS_STATE_URL", &state);
        let found = cli.run().expect_code(0).json();
        let sealed = format!("{} stored keys", with_commas(2 * tenants));
        assert!(found.to_string().contains(&sealed), "every key was looked at");
        let most = (0..ROUNDS).map(|_| peak(&cli)).fold(0.0, f64::max);
        peaks.push(most);
        if tenants == TENANTS {
            verdict("`doctor --offline` over 100,000 tenants", best.wall / 1e3, " s", Target::AtMost(3.0));
            verdict("its peak memory", most, " MB", Target::AtMost(80.0));
        }
    }
    let more = peaks[1] - peaks[0];
    verdict("its peak memory beyond that with 1,000 tenants", more, " MB", Target::AtMost(10.0));
    let each = more * 1e6 / count(TENANTS - FEW);
    note(&format!("{:.1} MB with {FEW} tenants; {each:.0} bytes more for each tenant more", peaks[0]));
}

fn of(tenants: usize) -> Fleet {
    let key = EncryptionKey::generate();
    let ring = KeyRing::new(key.clone(), Vec::new());
    let token = |role: &str, number: usize| {
        let part = |text: String| base64_simd::URL_SAFE_NO_PAD.encode_to_string(text);
        let head = part(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned());
        let project = reference(number);
        let claims = format!(
            r#"{{"iss":"supabase","ref":"{project}","role":"{role}","iat":1700000000,"exp":4000000000}}"#
        );
        format!("{head}.{}.{:043}", part(claims), number)
    };
    let row = |number: usize| {
        let url = format!("https://{}.supabase.co", reference(number));
        let row = TenantRow::new(&format!("tenant-{number}"));
        row.data_source(&url, &ring.seal(&token("anon", number)), &ring.seal(&token("service_role", number)))
    };
    Fleet::listing(key.clone(), &(0..tenants).map(row).collect::<Vec<_>>())
}

/// The 20 letters of a project.
fn reference(number: usize) -> String {
    format!("{number:020}").bytes().map(|digit| char::from(b'a' + digit - b'0')).collect()
}

fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    if digits.len() <= 4 {
        return digits;
    }
    let (head, tail) = digits.split_at(digits.len() - 3);
    format!("{head},{tail}")
}
