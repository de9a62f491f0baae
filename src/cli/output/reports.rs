//! The further reports of a survey (`--report`): files for CI, annotations for GitHub.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{github, junit};
use crate::cli::args::ReportArg;
use crate::cli::error::CliError;
use crate::survey::Survey;

/// The reports that were asked for, their files open.
pub(in crate::cli) struct Reports {
    junit: Vec<(PathBuf, Unfinished)>,
    github: bool,
}

/// A file under a temporary name, removed unless it is finished.
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Reports {
    /// Opens the files, so that one that cannot be written is known before the work.
    pub(in crate::cli) fn open(reports: &[ReportArg]) -> Result<Self, CliError> {
        let mut opened = Self { junit: Vec::new(), github: false };
        for report in reports {
            match report {
                ReportArg::Junit(path) => opened.junit.push((path.clone(), Unfinished::beside(path)?)),
                ReportArg::Github => opened.github = true,
            }
        }
        Ok(opened)
    }

    /// Whether the reports need the results to be kept.
    pub(in crate::cli) fn want_results(&self) -> bool {
        self.github || !self.junit.is_empty()
    }

    /// Writes them all.
    pub(in crate::cli) fn write(self, outcome: &Survey) -> Result<(), CliError> {
        if self.github {
            let _ = std::io::stderr()
                .write_all(github::annotations(&outcome.results, &outcome.findings).as_bytes());
        }
        for (path, mut unfinished) in self.junit {
            let failed = |error: &std::io::Error| {
                CliError::io(format!("cannot write the report {}", path.display()), error)
            };
            let text = junit::document(&outcome.results, outcome.complete)
                .map_err(|error| failed(&std::io::Error::other(error)))?;
            let written = unfinished.file.write_all(text.as_bytes());
            written
                .and_then(|()| std::fs::rename(&unfinished.path, &path))
                .map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

impl Unfinished {
    fn beside(path: &Path) -> Result<Self, CliError> {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{:08x}.tmp", rand::random::<u32>()));
        let temporary = PathBuf::from(name);
        let opened = OpenOptions::new().write(true).create_new(true).open(&temporary);
        let file = opened
            .map_err(|error| CliError::io(format!("cannot write the report {}", path.display()), &error))?;
        Ok(Self { path: temporary, file })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Gone already when it was given its name.
        let _ = std::fs::remove_file(&self.path);
    }
}
