//! The other end of the sealed form: Node's `crypto` and `Buffer`, as the running application uses them. One process
//! for each call; everything goes over its standard streams, as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::process::{self, Signal, User};

const SEAL: &str = "
const crypto = require('crypto');
const key = Buffer.from(input.key, 'hex');
return input.values.map(text => {
  const iv = crypto.randomBytes(16);
  const cipher = crypto.createCipheriv('aes-256-gcm', key, iv);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return [iv, cipher.getAuthTag(), sealed].map(part => part.toString('base64')).join(':');
});";

const OPEN: &str = "
const crypto = require('crypto');
const key = Buffer.from(input.key, 'hex');
return input.values.map(sealed => {
  try {
    const parts = sealed.split(':');
    if (parts.length !== 3) throw new Error('Invalid encrypted key format. Expected format: iv:authTag:encrypted');
    const [iv, tag, text] = parts.map(part => Buffer.from(part, 'base64'));
    if (iv.length !== 16 || tag.length !== 16) throw new Error('Invalid IV or tag length');
    const decipher = crypto.createDecipheriv('aes-256-gcm', key, iv);
    decipher.setAuthTag(tag);
    return { ok: Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8') };
  } catch (error) {
    return { error: error.message };
  }
});";

const FROM_BASE64: &str = "return input.values.map(text => Buffer.from(text, 'base64').toString('hex'));";

/// Seals each text under a key of 64 hex digits.
pub fn seal(key_hex: &str, texts: &[&str]) -> Vec<String> {
    let sealed = node(SEAL, &json!({"key": key_hex, "values": texts}));
    sealed.iter().map(|value| text(value).to_owned()).collect()
}

/// Opens each sealed text: the plaintext, or Node's message.
pub fn open(key_hex: &str, sealed: &[String]) -> Vec<Result<String, String>> {
    let opened = node(OPEN, &json!({"key": key_hex, "values": sealed}));
    let outcome = |value: &Value| match value.get("ok") {
        Some(plain) => Ok(text(plain).to_owned()),
        None => Err(text(&value["error"]).to_owned()),
    };
    opened.iter().map(outcome).collect()
}

/// What `Buffer.from(text, 'base64')` makes of each text.
pub fn buffer_from_base64(texts: &[String]) -> Vec<Vec<u8>> {
    let hex = node(FROM_BASE64, &json!({"values": texts}));
    let byte = |digits: &[u8]| {
        let digits = str::from_utf8(digits).expect("hex is ASCII");
        u8::from_str_radix(digits, 16).expect("Node writes hex")
    };
    hex.iter().map(|value| text(value).as_bytes().chunks(2).map(byte).collect()).collect()
}

/// Runs the body of a function of `input` that returns a list.
fn node(body: &str, input: &Value) -> Vec<Value> {
    let script = format!(
        "const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));\n\
         const work = () => {{ {body} }};\nprocess.stdout.write(JSON.stringify(work()));"
    );
    let mut command = process::command(process::find("node"), Signal::KILL, User::Own);
    command.arg("-e").arg(script);
    let output = process::run(command, input.to_string().as_bytes(), Duration::from_secs(60));
    assert!(output.status.success(), "node: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the script writes a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("the script writes texts")
}
