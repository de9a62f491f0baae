//! Sealing and opening of a key as long as Supabase's, against Node's `crypto` as the running application uses it:
//! both on one core, in turns, in the same run.
//!
//! The ratios are the point; the absolute times depend on the machine.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

mod measure;

use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use boothds::cipher::{EncryptionKey, KeyRing};
use measure::{Target, best, note, verdict};

/// Turns of each side.
const ROUNDS: usize = 4;
/// The measured time of one side's turn at one of the two works; with all turns 2 s.
const TURN: Duration = Duration::from_millis(500);
/// The time before the first turn, and in each Node: its compiler has to have seen the code.
const WARM_UP: Duration = Duration::from_millis(500);
/// How often the work is done between two looks at the clock.
const BATCH: u32 = 256;

/// Node's side: prints the nanoseconds of one sealing and of one opening.
const NODE: &str = r"
const crypto = require('crypto');
const key = crypto.randomBytes(32);
const seal = text => {
  const iv = crypto.randomBytes(16);
  const cipher = crypto.createCipheriv('aes-256-gcm', key, iv);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return `${iv.toString('base64')}:${cipher.getAuthTag().toString('base64')}:${sealed.toString('base64')}`;
};
const open = stored => {
  const [iv, tag, sealed] = stored.split(':').map(part => Buffer.from(part, 'base64'));
  const decipher = crypto.createDecipheriv('aes-256-gcm', key, iv);
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8');
};
const time = (work, ms) => {
  const start = process.hrtime.bigint();
  const end = start + BigInt(ms) * 1000000n;
  let count = 0, now = start;
  while (now < end) {
    for (let i = 0; i < 256; i++) work();
    count += 256;
    now = process.hrtime.bigint();
  }
  return Number(now - start) / count;
};
const sealed = seal(text);
if (open(sealed) !== text) throw new Error('it does not open');
time(() => seal(text), warmUp); time(() => open(sealed), warmUp);
console.log(time(() => seal(text), turn), time(() => open(sealed), turn));
";

fn main() {
    // The keys of the new kind, and the tokens of the old.
    compare("sb_secret_0123456789abcdefghijkl_01234567");
    compare(&jwt_like());
}

fn compare(text: &str) {
    let ring = KeyRing::new(EncryptionKey::generate(), Vec::new());
    let sealed = ring.seal(text);
    let opened = ring.open(&sealed).expect("what was sealed opens");
    assert_eq!(opened.plaintext.expose(), text, "the opened text is the sealed one");

    let seal = || drop(black_box(ring.seal(black_box(text))));
    let open = || drop(black_box(ring.open(black_box(&sealed))));
    time(seal, WARM_UP);
    time(open, WARM_UP);
    let mut ours = (Vec::new(), Vec::new());
    let mut nodes = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.0.push(time(seal, TURN));
        ours.1.push(time(open, TURN));
        let (sealing, opening) = node(text);
        nodes.0.push(sealing);
        nodes.1.push(opening);
    }
    for (work, ours, node, target) in [("sealing", ours.0, nodes.0, 25.0), ("opening", ours.1, nodes.1, 15.0)]
    {
        let (ours, node) = (best(ours), best(node));
        note(&format!("{work} {} bytes: {ours:.0} ns, Node {node:.0} ns", text.len()));
        verdict(
            &format!("{work} {} bytes, times as fast as Node", text.len()),
            node / ours,
            "×",
            Target::AtLeast(target),
        );
    }
}

/// 219 characters in three parts, like a legacy key of Supabase's.
fn jwt_like() -> String {
    let filler = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9".repeat(4);
    let text = format!("{}.{}.{}", &filler[..36], &filler[..138], &filler[..43]);
    assert_eq!(text.len(), 219, "the length of a key");
    text
}

/// Nanoseconds of one piece of work.
fn time(work: impl Fn(), turn: Duration) -> f64 {
    let start = Instant::now();
    let mut count = 0;
    loop {
        for _ in 0..BATCH {
            work();
        }
        count += BATCH;
        let passed = start.elapsed();
        if passed >= turn {
            return passed.as_secs_f64() * 1e9 / f64::from(count);
        }
    }
}

/// One turn of Node, which makes a key of its own: nothing secret goes there.
fn node(text: &str) -> (f64, f64) {
    let mut child = Command::new("node")
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start `node`, which `scripts/test` installs");
    let script = format!(
        "const text = '{text}', warmUp = {}, turn = {};{NODE}",
        WARM_UP.as_millis(),
        TURN.as_millis()
    );
    let mut stdin = child.stdin.take().expect("a piped standard input");
    stdin.write_all(script.as_bytes()).expect("hand Node its work");
    drop(stdin);
    let output = child.wait_with_output().expect("wait for Node");
    assert!(output.status.success(), "Node failed");
    let line = String::from_utf8(output.stdout).expect("Node prints text");
    let mut numbers = line.split_whitespace().map(|number| number.parse().expect("Node prints numbers"));
    let mut next = || numbers.next().expect("Node prints two numbers");
    (next(), next())
}
