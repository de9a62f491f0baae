//! The further reports of a survey (`--report`): files for CI, annotations for GitHub.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{github, junit, sarif};
use crate::cli::args::ReportArg;
use crate::cli::error::CliError;
use crate::survey::Survey;

/// The reports that were asked for, their files open.
pub(in crate::cli) struct Reports {
    files: Vec<(Form, Unfinished)>,
    github: bool,
}

/// The form of a file.
#[derive(Clone, Copy)]
enum Form {
    Junit,
    Sarif,
}

/// A file under a temporary name, removed unless it is finished. A pipe or device, such as `/dev/stderr`, has none:
/// it is written to as it is.
struct Unfinished {
    temporary: Option<PathBuf>,
    target: PathBuf,
    file: File,
}

impl Reports {
    /// Opens the files, so that one that cannot be written is known before the work.
    pub(in crate::cli) fn open(reports: &[ReportArg]) -> Result<Self, CliError> {
        let mut opened = Self { files: Vec::new(), github: false };
        for report in reports {
            match report {
                ReportArg::Junit(path) => opened.files.push((Form::Junit, Unfinished::open(path)?)),
                ReportArg::Sarif(path) => opened.files.push((Form::Sarif, Unfinished::open(path)?)),
                ReportArg::Github => opened.github = true,
            }
        }
        Ok(opened)
    }

    /// Whether the reports need the results to be kept.
    pub(in crate::cli) fn want_results(&self) -> bool {
        self.github || !self.files.is_empty()
    }

    /// Writes them all.
    pub(in crate::cli) fn write(self, outcome: &Survey) -> Result<(), CliError> {
        if self.github {
            let _ = std::io::stderr()
                .write_all(github::annotations(&outcome.results, &outcome.findings).as_bytes());
        }
        for (form, mut unfinished) in self.files {
            let failed = |error: &std::io::Error| {
                CliError::io(format!("cannot write the report {}", unfinished.target.display()), error)
            };
            let text = match form {
                Form::Junit => junit::document(outcome).map_err(std::io::Error::other),
                Form::Sarif => Ok(sarif::document(outcome)),
            };
            let text = text.map_err(|error| failed(&error))?;
            let written = (&unfinished.file).write_all(text.as_bytes());
            let placed = written.and_then(|()| match &unfinished.temporary {
                Some(temporary) => std::fs::rename(temporary, &unfinished.target),
                None => Ok(()),
            });
            placed.map_err(|error| failed(&error))?;
            unfinished.temporary = None;
        }
        Ok(())
    }
}

impl Unfinished {
    fn open(path: &Path) -> Result<Self, CliError> {
        let failed = |error| CliError::io(format!("cannot write the report {}", path.display()), &error);
        // What a link leads to is replaced, not the link.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if target.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
            return Ok(Self { temporary: None, target, file });
        }
        let mut name = target.clone().into_os_string();
        name.push(format!(".{:08x}.tmp", rand::random::<u32>()));
        let temporary = PathBuf::from(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary).map_err(failed)?;
        Ok(Self { temporary: Some(temporary), target, file })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = std::fs::remove_file(temporary);
        }
    }
}
