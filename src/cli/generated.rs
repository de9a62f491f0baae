//! The generated pages: completions, man pages and lists, all from the definitions in the code. `completions/`,
//! `man/` and parts of `docs/` hold them; a test compares, and `scripts/generate` renews them.

use clap::{Command, ValueEnum};
use clap_complete::Shell;
use roff::{Roff, bold, roman};

use super::exit_code::ExitCode;
use crate::settings::Knob;

/// The completions of a shell.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut super::definition(), "boothds", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The man pages as pairs of name (without the section) and text.
#[must_use]
pub fn man_pages() -> Vec<(String, String)> {
    let definition = super::definition();
    let mut pages = vec![("boothds".to_owned(), page(&definition, "boothds"))];
    for command in definition.get_subcommands() {
        let name = format!("boothds-{}", command.get_name());
        // Without `build`, which would add a page for every `help` command; so the global options are named by the
        // main page alone.
        pages.push((
            name.clone(),
            page(&command.clone().name(name.clone()).bin_name(name.replacen('-', " ", 1)), &name),
        ));
    }
    pages
}

/// Every generated file: path from the root of the project, and content.
#[must_use]
pub fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for shell in Shell::value_variants() {
        let name = match shell {
            Shell::Bash => "boothds.bash",
            Shell::Elvish => "boothds.elv",
            Shell::Fish => "boothds.fish",
            Shell::PowerShell => "_boothds.ps1",
            Shell::Zsh => "_boothds",
            _ => continue,
        };
        files.push((format!("completions/{name}"), completions(*shell)));
    }
    for (name, text) in man_pages() {
        files.push((format!("man/{name}.1"), text));
    }
    files.push(("docs/failures.md".to_owned(), crate::failure::as_markdown()));
    files.push(("docs/checks.md".to_owned(), crate::finding::check::as_markdown()));
    files.push(("docs/findings.md".to_owned(), crate::finding::as_markdown()));
    files
}

fn page(command: &Command, name: &str) -> String {
    let man = clap_mangen::Man::new(command.clone())
        .title(name.to_uppercase())
        .section("1")
        .source(concat!("boothds ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    let written = (|| {
        man.render_title(&mut text)?;
        man.render_name_section(&mut text)?;
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        man.render_options_section(&mut text)?;
        if command.has_subcommands() {
            man.render_subcommands_section(&mut text)?;
        }
        further_sections(command.get_name()).to_writer(&mut text)
    })();
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    let text = String::from_utf8_lossy(&text);
    // The lines are compared and kept in a repository.
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn further_sections(name: &str) -> Roff {
    let mut roff = Roff::new();
    if name != "boothds" {
        roff.control("PP", []);
        roff.text([roman(
            "The options of boothds(1), such as --json, --config and --verbose, apply here too.",
        )]);
    }
    let entry = |roff: &mut Roff, term: &str, text: &str| {
        roff.control("TP", []);
        roff.text([bold(term)]);
        roff.text([roman(text)]);
    };
    roff.control("SH", ["EXIT STATUS"]);
    for code in ExitCode::ALL {
        entry(&mut roff, &code.number().to_string(), code.meaning());
    }
    roff.control("SH", ["ENVIRONMENT"]);
    for knob in Knob::ALL {
        let row = knob.describe();
        if row.variables.is_empty() {
            continue;
        }
        let mut text = format!("{}: {}.", capitalised(row.title), row.takes);
        if let Some(key) = row.key {
            text.push_str(&format!(" In boothds.toml: {key}."));
        }
        if !row.default.is_empty() {
            text.push_str(&format!(" Default: {}.", row.default));
        }
        entry(&mut roff, &row.variables.join(", "), &text);
    }
    entry(&mut roff, "BOOTHDS_PROFILE", "The profile to use, as --profile.");
    entry(&mut roff, "NO_COLOR", "Set to anything: no colour.");
    roff.control("SH", ["FILES"]);
    for (file, text) in [
        (".env.local, .env", "Variables, read from the working directory after the environment."),
        (
            "boothds.toml",
            "Settings, read from the working directory, then from $XDG_CONFIG_HOME/boothds (~/.config/boothds). Its \
             keys stand beside the variables above; [profile.NAME] tables inherit the top level. An encryption key never \
             stands in it: encryption_key_file names its file, encryption_key_command a command that prints it.",
        ),
    ] {
        entry(&mut roff, file, text);
    }
    roff.control("SH", ["EXAMPLES"]);
    for (what, example) in examples(name) {
        roff.text([roman(*what)]);
        roff.control("PP", []);
        roff.control("RS", ["4"]);
        roff.control("nf", []);
        roff.text([roman(*example)]);
        roff.control("fi", []);
        roff.control("RE", []);
        roff.control("PP", []);
    }
    roff
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Examples of each command: what for, and how.
fn examples(name: &str) -> &'static [(&'static str, &'static str)] {
    match name.strip_prefix("boothds-").unwrap_or_default() {
        "keygen" => &[
            ("A key file that nobody else can read:", "boothds keygen --output encryption.key"),
            ("A line for a .env file:", "boothds keygen --env >> .env.local"),
        ],
        "encrypt" => &[
            ("Seal a key that another program prints:", "pass show acme/service-key | boothds encrypt"),
            ("Seal every line of a file:", "boothds encrypt --lines --file keys.txt"),
        ],
        "decrypt" => &[(
            "Does it open, and with which key?",
            "psql -At -c \"select data_source_anon_key from tenants where data_source_anon_key is not null\" | boothds decrypt --lines",
        )],
        "tenants" => {
            &[("Active Supabase tenants as JSON:", "boothds tenants --status active --kind supabase --json")]
        }
        "info" => &[("By subdomain:", "boothds info acme")],
        "test-connection" => &[
            ("One tenant:", "boothds test-connection acme"),
            ("All, for CI:", "boothds test-connection --all --report junit=tenants.xml"),
            (
                "Those that fail, as they are found:",
                "boothds test-connection --all --format jsonl | jq -c 'select(.success == false)'",
            ),
        ],
        "doctor" => &[
            ("Before a deployment, without touching a tenant:", "boothds doctor --offline"),
            ("Everything, for CI:", "boothds doctor --all-tenants --fail-on warning --json"),
            ("Would a rotation meet a broken trigger?", "boothds doctor --offline --rehearse"),
            (
                "Mend the schema:",
                "boothds doctor --print-sql > mend.sql && psql \"$DATABASE_URL\" -f mend.sql",
            ),
        ],
        "demo" => &[("Without any database:", "boothds demo --dir fleet")],
        "completions" => {
            &[("For bash:", "boothds completions bash > ~/.local/share/bash-completion/completions/boothds")]
        }
        "man" => &[("Read a page:", "boothds man test-connection | man -l -")],
        _ => &[
            ("Try it without any database:", "boothds demo"),
            ("Test every tenant:", "DATABASE_URL=postgres://db.example/app boothds test-connection --all"),
        ],
    }
}
