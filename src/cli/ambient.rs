//! The process's surroundings: environment, folders, raw arguments. The only file that reads them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::config::Complaints;
use super::error::CliError;
use crate::secret::Secret;
use crate::settings::{Knob, state_folder};

/// Variables besides the settings that decide something.
const PROFILE: &str = "BOOTHDS_PROFILE";
const SUPABASE_URL: &str = "NEXT_PUBLIC_SUPABASE_URL";

/// What of the environment concerns this program, taken once.
#[derive(Debug)]
pub(super) struct Ambient {
    /// The variables that are settings. Not `Debug`-printed by anybody: the values may be secrets.
    pub(super) variables: Vec<(String, String)>,
    /// The names of others that look like settings and are none.
    pub(super) unknown: Vec<String>,
    /// `BOOTHDS_PROFILE`.
    pub(super) profile: Option<String>,
    /// Whether `NEXT_PUBLIC_SUPABASE_URL` is set.
    pub(super) has_supabase_url: bool,
    /// The user's configuration folder: `$XDG_CONFIG_HOME`, or `~/.config`.
    pub(super) config_folder: Option<PathBuf>,
    /// The user's state folder: `$XDG_STATE_HOME`, or `~/.local/state`.
    pub(super) state_folder: Option<PathBuf>,
}

impl Ambient {
    /// Reads the environment; what is no text goes to `complaints`.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the environment that the lint names"
    )]
    pub(super) fn read(complaints: &mut Complaints) -> Result<Self, CliError> {
        let (mut variables, mut unknown) = (Vec::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            unknown.extend(name.to_str().filter(|name| is_unknown(name)).map(str::to_owned));
            let Some(name) = name.to_str().filter(|name| Knob::of_variable(name).is_some()) else { continue };
            let value = value
                .into_string()
                .map_err(|_| CliError::settings(format!("{name} in the environment is no UTF-8 text")));
            if let Some(value) = complaints.unless_error(value)? {
                variables.push((name.to_owned(), value));
            }
        }
        // The specification of the XDG folders wants relative paths to be ignored.
        let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let profile = std::env::var_os(PROFILE).map(|name| {
            let no_text = |_| CliError::settings(format!("{PROFILE} in the environment is no UTF-8 text"));
            name.into_string().map_err(no_text)
        });
        let profile = complaints.unless_error(profile.transpose())?.flatten();
        Ok(Self {
            variables,
            unknown,
            profile: profile.filter(|name| !name.is_empty()),
            has_supabase_url: std::env::var_os(SUPABASE_URL).is_some(),
            config_folder: folder("XDG_CONFIG_HOME")
                .or_else(|| folder("HOME").map(|home| home.join(".config"))),
            state_folder: state_folder(folder("XDG_STATE_HOME"), folder("HOME")),
        })
    }
}

/// Whether a variable looks like a setting and is none.
pub(super) fn is_unknown(name: &str) -> bool {
    name != PROFILE && Knob::looks_like_one(name)
}

/// Whether a variable of a `.env` file is Supabase's public URL.
pub(super) fn is_supabase_url(name: &str) -> bool {
    name == SUPABASE_URL
}

/// How to call this program again: by its name where the shell finds it, by its path otherwise, which from the working
/// directory may be a short one.
pub(super) fn program_path() -> PathBuf {
    let called = PathBuf::from(std::env::args_os().next().unwrap_or_else(|| "boothds".into()));
    let folder = std::env::current_dir().unwrap_or_default();
    called.strip_prefix(folder).map(Path::to_owned).unwrap_or(called)
}

/// A variable of the environment that an argument names, if it holds a text.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the environment that the lint names"
)]
pub(super) fn variable(name: &str) -> Option<Secret> {
    std::env::var(name).ok().map(Secret::new)
}

/// This very command line for the shell, where its files are there already: with `--to file:FILE` in place of
/// `--generate FILE`, and another name for the backup.
pub(super) fn arguments_resumed(generated: Option<&Path>, backup: Option<&Path>) -> String {
    let target = generated.map(|file| ["--to".into(), OsString::from(format!("file:{}", file.display()))]);
    let fresh = backup.map(|file| [OsString::from("--backup"), unused(file)]);
    let mut words = vec![program_path().into_os_string()];
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy().into_owned();
        let instead = match text.split('=').next() {
            Some("--generate") => target.as_ref(),
            Some("--backup") => fresh.as_ref(),
            _ => None,
        };
        match instead {
            None => words.push(argument),
            Some(instead) => {
                words.extend(instead.clone());
                if !text.contains('=') {
                    arguments.next();
                }
            }
        }
    }
    words.iter().map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// The first of `FILE.2`, `FILE.3`, … that does not exist.
fn unused(file: &Path) -> OsString {
    let named = |number: u32| {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name
    };
    let free = |name: &OsString| Path::new(name).symlink_metadata().is_err();
    (2..1000).map(named).find(free).unwrap_or_else(|| named(1000))
}

/// A word for the shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Whether the one argument is the question for the version.
pub(super) fn wants_version_only() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    matches!((arguments.next(), arguments.next()), (Some(only), None) if only == "--version" || only == "-V")
}

/// Whether the raw arguments ask for JSON; needed for the errors of the arguments themselves.
pub(super) fn wants_json() -> bool {
    let arguments: Vec<OsString> = std::env::args_os().take_while(|argument| argument != "--").collect();
    arguments
        .iter()
        .any(|argument| argument == "--json" || argument == "--format=json" || argument == "--format=jsonl")
        || arguments.windows(2).any(|pair| pair[0] == "--format" && (pair[1] == "json" || pair[1] == "jsonl"))
}
