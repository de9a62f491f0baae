//! The start: `boothds --version` against a clap binary that has nothing but a version, built with the same profile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::measure::{Target, note, verdict};

const SPAWNS: usize = 200;

const MANIFEST: &str = "\
[package]\nname = \"bare\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]
[dependencies]\nclap = { version = \"4.6\", features = [\"derive\", \"string\", \"wrap_help\"] }
[profile.release]\ncodegen-units = 1\nlto = \"thin\"\nstrip = true\n";

const SOURCE: &str = "\
//! A command line with nothing behind it.
/// Does nothing
#[derive(clap::Parser)]\n#[command(version)]\nstruct Arguments {}
fn main() {\n    <Arguments as clap::Parser>::parse();\n}\n";

/// Measures both, in turns.
pub fn measure() {
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_boothds"));
    let bare = build();
    let (mut times, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..SPAWNS {
        times.push(spawn(&ours));
        peers.push(spawn(&bare));
    }
    let [(best, middle), (peer_best, peer_middle)] = [times, peers].map(summary);
    let size = |file: &Path| fs::metadata(file).expect("the size of a binary").len() / 1000;
    for (name, best, middle, file) in
        [("boothds", best, middle, &ours), ("a bare clap binary", peer_best, peer_middle, &bare)]
    {
        note(&format!("{name} --version: best {best:.2} ms, median {middle:.2} ms, {} kB", size(file)));
    }
    verdict("--version, to a bare clap binary (best)", best / peer_best, "", Target::AtMost(1.5));
    verdict("--version, to a bare clap binary (median)", middle / peer_middle, "", Target::AtMost(1.5));
}

fn spawn(binary: &Path) -> f64 {
    let start = Instant::now();
    let status = Command::new(binary)
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("start a binary");
    let took = start.elapsed();
    assert!(status.success(), "{} --version", binary.display());
    took.as_secs_f64() * 1e3
}

fn summary(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[0], times[times.len() / 2])
}

/// Builds the bare binary with our lock file, so from the crates that are here already.
fn build() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare");
    fs::create_dir_all(folder.join("src")).expect("make the folder of the bare binary");
    fs::write(folder.join("Cargo.toml"), MANIFEST).expect("write its manifest");
    fs::write(folder.join("src/main.rs"), SOURCE).expect("write its source");
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock");
    fs::copy(lock, folder.join("Cargo.lock")).expect("copy the lock file");
    let status = Command::new("cargo")
        .args(["build", "--release", "--offline", "--quiet", "--target-dir", "target"])
        .current_dir(&folder)
        .status()
        .expect("start cargo");
    assert!(status.success(), "the bare binary does not build");
    folder.join("target/release/bare")
}
