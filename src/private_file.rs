//! Files that hold secrets: readable by their owner alone, never written over another file unless that is
//! asked for, and on disk before anybody relies on them.
//!
//! A file of its own because a key file that is lost, half-written or readable by others is the accident this
//! tool exists to prevent; nothing else writes one.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::secret::Secret;

/// The largest secret file that is read, in bytes. A key file has 65; a list of earlier keys some hundreds.
pub const READ_LIMIT: u64 = 64 * 1024;

/// What may already stand at the path that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Fail with [`FileError::Exists`], leaving it as it is.
    Keep,
    /// Replace it, in one step.
    Replace,
}

/// Why a private file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is a file at the path, and it was not to be replaced.
    #[error("{} exists already and was left as it is", .0.display())]
    Exists(PathBuf),
    /// The operating system refused an operation on the file.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// `read`, `create`, `write`, …
        operation: &'static str,
        /// The file, or the folder it stands in.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a folder, device or pipe at the path, which is not to be replaced by a file.
    #[error("{} is no regular file, and was left as it is", .0.display())]
    NotAFile(PathBuf),
    /// The file is larger than [`READ_LIMIT`], so it is no file of secrets.
    #[error("{} is larger than {READ_LIMIT} bytes", .0.display())]
    TooLarge(PathBuf),
    /// The file does not hold UTF-8 text.
    #[error("{} does not hold UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// What is read is not what was written.
    #[error("{} does not hold what was just written to it", .0.display())]
    Different(PathBuf),
}

/// Reads a whole file of secret text.
///
/// # Errors
/// When it cannot be read, holds more than [`READ_LIMIT`] bytes or something other than UTF-8.
pub fn read(path: &Path) -> Result<Secret, FileError> {
    let io = |source| FileError::Io { operation: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(READ_LIMIT + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > READ_LIMIT {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    String::from_utf8(bytes).map(Secret::new).map_err(|_| FileError::NotText(path.to_owned()))
}

/// Whether others can read a file of secrets, by what the system says of it: anybody, or its group. A group is no other
/// where it is by the group that we read it ourselves, as with a key of `root:ssl-cert`.
#[must_use]
pub fn is_open_to_others(file: &Metadata) -> bool {
    let ours = file.uid() == rustix::process::geteuid().as_raw();
    file.is_file() && (file.mode() & 0o007 != 0 || (ours && file.mode() & 0o070 != 0))
}

/// Writes `content` to `path`, mode 0600. When this returns, the content and the name of the file are on disk.
///
/// The text goes to a temporary file beside `path`, which is then given its name in one step, so that nobody
/// ever sees half of it: by a hard link where an existing file must be kept (a rename would replace a file that
/// appeared meanwhile), by a rename otherwise.
///
/// # Errors
/// [`FileError::Exists`] with [`Existing::Keep`]; otherwise what the system refused. Then there is no new file, unless it was the
/// folder's sync alone that failed.
pub fn write(path: &Path, content: &Secret, existing: Existing) -> Result<(), FileError> {
    if existing == Existing::Keep && path.symlink_metadata().is_ok() {
        return Err(FileError::Exists(path.to_owned()));
    }
    // What a link leads to is replaced, not the link.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let path = target.as_path();
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(FileError::NotAFile(path.to_owned()));
    }
    let folder = folder_of(path);
    let temporary = folder.join(format!(".boothds-{:016x}.tmp", rand::random::<u64>()));
    let error = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| FileError::Io { operation, path, source }
    };
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content.expose().as_bytes())?;
        file.sync_all()
    })();
    let placed = written.map_err(error("write", path)).and_then(|()| match existing {
        Existing::Replace => fs::rename(&temporary, path).map_err(error("write", path)),
        Existing::Keep => match fs::hard_link(&temporary, path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(FileError::Exists(path.to_owned())),
            linked => linked.map_err(error("create", path)),
        },
    });
    // After a rename there is nothing left to remove; in every other case the temporary name must go.
    let _ = fs::remove_file(&temporary);
    placed?;
    sync_folder(folder)
}

/// Writes a new file like [`write()`] with [`Existing::Keep`], and reads it back from the path: what was just made is known
/// to be there under its name.
///
/// # Errors
/// Those of [`write()`] and [`read`]; [`FileError::Different`] when something else is read.
pub fn write_and_read_back(path: &Path, content: &Secret) -> Result<(), FileError> {
    write(path, content, Existing::Keep)?;
    if read(path)?.expose() == content.expose() { Ok(()) } else { Err(FileError::Different(path.to_owned())) }
}

/// A private file that grows by whole texts, and is on disk whenever [`PrivateLog::sync`] has returned.
#[derive(Debug)]
pub struct PrivateLog {
    file: BufWriter<File>,
    path: PathBuf,
}

impl PrivateLog {
    /// Makes the file, mode 0600, where there is none. Its name is on disk when this returns.
    ///
    /// # Errors
    /// [`FileError::Exists`]; otherwise what the system refused.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
            _ => FileError::Io { operation: "create", path: path.to_owned(), source },
        })?;
        sync_folder(folder_of(path))?;
        Ok(Self { file: BufWriter::with_capacity(64 * 1024, file), path: path.to_owned() })
    }

    /// Adds a text.
    ///
    /// # Errors
    /// What the system refused.
    pub fn append(&mut self, text: &Secret) -> Result<(), FileError> {
        self.file.write_all(text.expose().as_bytes()).map_err(|source| self.io("write", source))
    }

    /// Brings all that was added to the disk.
    ///
    /// # Errors
    /// What the system refused.
    pub fn sync(&mut self) -> Result<(), FileError> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        synced.map_err(|source| self.io("write", source))
    }

    /// Removes the file.
    ///
    /// # Errors
    /// What the system refused.
    pub fn remove(self) -> Result<(), FileError> {
        let removed = fs::remove_file(&self.path);
        removed.map_err(|source| self.io("remove", source))
    }

    fn io(&self, operation: &'static str, source: io::Error) -> FileError {
        FileError::Io { operation, path: self.path.clone(), source }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn sync_folder(folder: &Path) -> Result<(), FileError> {
    let synced = File::open(folder).and_then(|f| f.sync_all());
    synced.map_err(|source| FileError::Io { operation: "sync the folder", path: folder.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_written_file_is_private_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, &secret("abc\n"), Existing::Keep).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().expose(), "abc\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_existing_file_or_dangling_link_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "old").unwrap();
        assert!(matches!(write(&path, &secret("new"), Existing::Keep), Err(FileError::Exists(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let link = folder.path().join("link");
        symlink(folder.path().join("nowhere"), &link).unwrap();
        assert!(matches!(write(&link, &secret("new"), Existing::Keep), Err(FileError::Exists(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn replacing_narrows_the_mode_of_a_file_that_was_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, &secret("new"), Existing::Replace).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_link_keeps_its_place_and_a_folder_or_device_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("key"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        write(&link, &secret("new"), Existing::Replace).unwrap();
        assert!(link.is_symlink() && fs::read_to_string(&file).unwrap() == "new");
        let device = folder.path().join("device");
        symlink("/dev/null", &device).unwrap();
        for path in [folder.path(), &device] {
            assert!(matches!(write(path, &secret("new"), Existing::Replace), Err(FileError::NotAFile(_))));
        }
        assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
    }

    #[test]
    fn a_log_is_private_grows_and_is_made_over_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        let mut log = PrivateLog::create(&path).unwrap();
        log.append(&secret("one\n")).unwrap();
        log.append(&secret("two\n")).unwrap();
        log.sync().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(PrivateLog::create(&path), Err(FileError::Exists(_))));
        log.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_cannot_be_a_key_file_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        fs::write(&path, vec![b'x'; 70_000]).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("big"));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(read(&path), Err(FileError::NotText(_))));
        assert!(matches!(read(folder.path()), Err(FileError::Io { operation: "read", .. })));
    }
}
