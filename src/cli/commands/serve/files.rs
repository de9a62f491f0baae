//! The files that settings, keys and certificate came from, and whether one has changed: looked at every two seconds, by
//! what the system says of them, and read only when that is something else than before.
//!
//! A link is followed: an orchestrator that mounts secrets changes where one leads to.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::cli::ambient::Ambient;
use crate::cli::args::GlobalArgs;

/// What the system says of a file: its place, length and times. Sizes alone would miss a key that is replaced.
type Stamp = (u64, u64, u64, i64, i64, i64, i64);

/// A file as it was when it was looked at last.
#[derive(Clone, Debug)]
struct Seen {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// The digest of its content.
    content: Option<[u8; 32]>,
}

/// The files.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    settings: Vec<Seen>,
    tls: Vec<Seen>,
}

/// What has changed since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) settings: bool,
    pub(super) tls: bool,
}

impl Sources {
    /// The files that are looked into for settings, also those that there are not: they may come.
    pub(super) fn of_settings(global: &GlobalArgs) -> Self {
        let mut paths: Vec<PathBuf> = match &global.env_file {
            Some(file) => vec![file.clone()],
            None => vec![".env.local".into(), ".env".into()],
        };
        match &global.config {
            Some(file) => paths.push(file.clone()),
            None => {
                paths.push("boothds.toml".into());
                let folder = Ambient::read().ok().and_then(|ambient| ambient.config_folder);
                paths.extend(folder.map(|folder| folder.join("boothds").join("boothds.toml")));
            }
        }
        let mut sources = Self::default();
        sources.add(paths);
        sources
    }

    /// Watches these files too.
    pub(super) fn add(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        self.settings.extend(paths.into_iter().map(Seen::now));
    }

    /// Watches the files of certificate and key.
    pub(super) fn add_tls(&mut self, paths: [PathBuf; 2]) {
        self.tls.extend(paths.map(Seen::now));
    }

    /// Looks again.
    pub(super) fn look(&mut self) -> Changed {
        let any = |files: &mut Vec<Seen>| files.iter_mut().map(Seen::look).fold(false, |any, one| any | one);
        Changed { settings: any(&mut self.settings), tls: any(&mut self.tls) }
    }
}

impl Seen {
    fn now(path: PathBuf) -> Self {
        let mut seen = Self { path, stamp: None, content: None };
        seen.look();
        seen
    }

    /// Looks again; answers whether the content is another one.
    fn look(&mut self) -> bool {
        let stamp = self.path.metadata().ok().filter(Metadata::is_file).map(|metadata| stamp(&metadata));
        if stamp == self.stamp {
            return false;
        }
        self.stamp = stamp;
        let content = stamp.and_then(|_| digest(&self.path));
        std::mem::replace(&mut self.content, content) != content
    }
}

fn stamp(file: &Metadata) -> Stamp {
    (file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec())
}

/// The digest of a file of secrets; `None` of one that cannot be read as one.
fn digest(path: &Path) -> Option<[u8; 32]> {
    let text = crate::private_file::read(path).ok()?;
    Some(Sha256::digest(text.expose().as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_another_content_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let (file, new) = (folder.path().join("key"), folder.path().join("new"));
        fs::write(&file, "one").unwrap();
        let mut sources = Sources::default();
        sources.add([file.clone()]);
        assert_eq!(sources.look(), Changed::default());
        // Written again with the same text, as tools do that know no better.
        fs::write(&new, "one").unwrap();
        fs::rename(&new, &file).unwrap();
        assert_eq!(sources.look(), Changed::default());
        fs::write(&new, "two").unwrap();
        fs::rename(&new, &file).unwrap();
        assert_eq!(sources.look(), Changed { settings: true, tls: false });
        fs::remove_file(&file).unwrap();
        assert!(sources.look().settings);
        assert!(!sources.look().settings);
        fs::write(&file, "two").unwrap();
        assert!(sources.look().settings);
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "one").unwrap();
        fs::write(at("b"), "two").unwrap();
        std::os::unix::fs::symlink(at("a"), at("link")).unwrap();
        let mut sources = Sources::default();
        sources.add_tls([at("link"), at("a")]);
        fs::remove_file(at("link")).unwrap();
        std::os::unix::fs::symlink(at("b"), at("link")).unwrap();
        assert_eq!(sources.look(), Changed { settings: false, tls: true });
    }
}
