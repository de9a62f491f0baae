//! SQLite files opened for reading, so that nothing beside them is made or changed.
//!
//! A file of its own because the application database and a tenant's data source are opened alike, and because plain
//! read-only access is not harmless: of a database in WAL mode SQLite makes the files `-shm` and `-wal`, with our
//! owner and mode, and whoever writes to it next may be locked out by them.
//!
//! Whoever keeps a file open in this process says so here ([`Presence`]). The locks of a file belong to the process, and
//! the system drops all of them when any of its descriptors of the file is closed
//! (<https://www.sqlite.org/howtocorrupt.html>, "POSIX advisory locks canceled by a separate thread doing close()"); so
//! a file that is open here must not be looked into by any other way than SQLite's own.

use std::collections::HashMap;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::diagnosis;
use crate::failure::{Failure, FailureClass};

/// The files that are open in this process, by device and number. The lock is held for moments only; looking into a
/// file, which blocks on a dead network mount, holds up those alone who want this very file.
static OPEN: Mutex<Option<HashMap<FileId, Opened>>> = Mutex::new(None);
/// Somebody has finished looking into a file.
static LOOKED: Condvar = Condvar::new();

type FileId = (u64, u64);

#[derive(Debug, Default)]
struct Opened {
    count: usize,
    /// Whether its header is being read, by a descriptor that is closed thereafter.
    looking: bool,
}

/// Says that a file is open in this process, for as long as it lives. Of a file that is not there it says nothing.
#[derive(Debug)]
pub struct Presence(Option<FileId>);

impl Presence {
    /// For a file that is opened by other means than [`open`]; to be had before it is opened. Blocks on a dead network
    /// mount.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let (presence, _) = Self::enter(path);
        presence.looked();
        presence
    }

    /// Answers too whether nobody else has the file open: then it may be looked into, and [`Presence::looked`] must follow.
    fn enter(path: &Path) -> (Self, bool) {
        let Some(id) = path.metadata().ok().map(|about| (about.dev(), about.ino())) else {
            return (Self(None), true);
        };
        let mut open = registry();
        loop {
            let entry = open.get_or_insert_default().entry(id).or_default();
            if !entry.looking {
                entry.count += 1;
                entry.looking = entry.count == 1;
                return (Self(Some(id)), entry.looking);
            }
            open = LOOKED.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn looked(&self) {
        if let (Some(id), Some(files)) = (&self.0, registry().as_mut())
            && let Some(entry) = files.get_mut(id)
        {
            entry.looking = false;
        }
        LOOKED.notify_all();
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let (Some(id), Some(files)) = (&self.0, registry().as_mut())
            && let Some(entry) = files.get_mut(id)
        {
            entry.count -= 1;
            if entry.count == 0 {
                files.remove(id);
                LOOKED.notify_all();
            }
        }
    }
}

fn registry() -> MutexGuard<'static, Option<HashMap<FileId, Opened>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a file that must exist. SQLite reads it with the first question; until then anything passes for a database. The
/// presence is to live as long as the connection.
///
/// # Errors
/// [`FailureClass::FileMissing`], [`FailureClass::FileRefused`].
pub async fn open(path: &Path) -> Result<(SqliteConnection, Presence), Failure> {
    // An absolute path is no name that SQLite would take for something else, such as `:memory:` or `file:…`.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let looked_at = path.clone();
    // Looking at a file on a dead network mount blocks; not on the runtime's own threads.
    let looked = tokio::task::spawn_blocking(move || {
        let (presence, alone) = Presence::enter(&looked_at);
        let at_rest = if alone { is_at_rest(&looked_at) } else { Ok(false) };
        presence.looked();
        Ok((at_rest?, presence))
    });
    let (at_rest, presence) = looked.await.map_err(|_| Failure::new(FailureClass::Internal))??;
    let options = SqliteConnectOptions::new().filename(&path).read_only(true).immutable(at_rest);
    let options = options.disable_statement_logging();
    let connected = SqliteConnection::connect_with(&options).await;
    connected.map(|connection| (connection, presence)).map_err(|error| diagnosis::sqlite(&error))
}

/// Whether nobody has the file open in WAL mode: bytes 18 and 19 of the header tell the mode
/// (<https://www.sqlite.org/fileformat2.html>), and the `-wal` file is there as long as anybody has it open. Then it can
/// be read as an immutable file, and nothing is made beside it.
fn is_at_rest(path: &Path) -> Result<bool, Failure> {
    let mut header = [0; 20];
    match std::fs::File::open(path).and_then(|file| file.take(20).read(&mut header)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::new(FailureClass::FileMissing))
        }
        // What is in the way is SQLite's to say.
        Err(_) => Ok(false),
        Ok(_) => {
            let mut log = path.as_os_str().to_owned();
            log.push("-wal");
            Ok(header[18..] == [2, 2] && !PathBuf::from(log).exists())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_does_not_look_and_who_comes_after_all_have_gone_does() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (first, alone) = Presence::enter(file.path());
        assert!(alone);
        first.looked();
        let (second, alone) = Presence::enter(file.path());
        assert!(!alone);
        drop(first);
        assert!(!Presence::enter(file.path()).1);
        drop(second);
        assert!(Presence::enter(file.path()).1);
    }

    #[test]
    fn who_comes_while_another_looks_waits() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (first, _) = Presence::enter(file.path());
        let path = file.path().to_owned();
        let second = std::thread::spawn(move || Presence::enter(&path).1);
        std::thread::yield_now();
        assert!(!second.is_finished());
        first.looked();
        assert!(!second.join().unwrap());
    }
}
