//! The file of a state store: found, checked before SQLite touches it, or made.
//!
//! What is at the path is looked at as plain bytes first. SQLite would make files beside it, and write a log that was
//! left behind into it, before it could say that it is another program's.
//!
//! A new file is made complete under a temporary name, mode 0600, in a folder that is made 0700, and then linked to its
//! own name, which replaces nothing: whoever looks finds either no file or a whole one. Who makes one holds a lock on the
//! folder, since a log (`-wal`) that an earlier file left behind must go first: SQLite would take it for the new file's.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection, raw_sql};

use super::failure::Trouble;
use crate::clock::Clock;
use crate::state::error::StateFailure;

/// Marks a SQLite file as ours: `boot` in ASCII, at byte 68 of the file.
const APPLICATION_ID: u32 = 0x626f_6f74;
/// The version of the tables below, at byte 60 of the file.
const FORMAT: u32 = 1;
/// How long a statement waits for another process to end its transaction.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// `head` is the position of a namespace's last log entry, `pruned` that of the last one that was removed from the log.
/// Counts and instances are JSON: see [`crate::state::tally`].
const TABLES: &str = "
CREATE TABLE store (generation INTEGER NOT NULL) STRICT;
CREATE TABLE space (
    namespace TEXT PRIMARY KEY, head INTEGER NOT NULL, pruned INTEGER NOT NULL,
    epoch INTEGER NOT NULL, since INTEGER, counts TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE cached (
    namespace TEXT NOT NULL, tenant TEXT NOT NULL, expires INTEGER NOT NULL, code BLOB NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (namespace, tenant)
) STRICT, WITHOUT ROWID;
CREATE INDEX cached_expires ON cached (expires);
CREATE TABLE log (
    namespace TEXT NOT NULL, position INTEGER NOT NULL, kind INTEGER NOT NULL, tenant TEXT, at INTEGER NOT NULL,
    PRIMARY KEY (namespace, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE instance (
    namespace TEXT NOT NULL, id TEXT NOT NULL, number INTEGER NOT NULL, seen INTEGER NOT NULL,
    position INTEGER NOT NULL, content TEXT NOT NULL, PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
";

/// Which file a connection has open: device and inode. A path may come to lead to another one.
pub(super) type FileId = (u64, u64);

/// The file that a path leads to now; `None` when there is none.
pub(super) fn id(path: &Path) -> Option<FileId> {
    path.metadata().ok().map(|file| (file.dev(), file.ino()))
}

/// Opens the store at `path`, making it where there is none.
pub(super) async fn open(path: &Path, clock: Clock) -> Result<(SqliteConnection, FileId), Trouble> {
    loop {
        if let Some(found) = blocking(path, check).await? {
            let connection = options(path).synchronous(SqliteSynchronous::Normal).connect().await?;
            // Between the look and the opening the path may have come to lead to another file.
            if id(path) == Some(found) {
                return Ok((connection, found));
            }
        } else {
            make(path, clock).await?;
        }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_LIMIT).disable_statement_logging()
}

/// Runs `work` where it may block: a path can be on a network mount that is gone.
async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let path = path.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&path)).await;
    done.unwrap_or_else(|_| Err(Trouble::new(StateFailure::Other, "looking at the file failed")))
}

/// Looks at what is at the path, and narrows the mode of a file of ours that others can read: its rows are sealed, but
/// tell who the tenants are, and whoever can write it can empty it.
fn check(path: &Path) -> Result<Option<FileId>, Trouble> {
    let metadata = match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| Trouble::io("look at the file", &error))?,
    };
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "it is a folder" } else { "it is no regular file" };
        return Err(Trouble::new(StateFailure::Foreign, what));
    }
    let header = match header(path, &metadata) {
        // It was removed or replaced just now: whoever asked looks again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| Trouble::io("read the file", &error))?,
    };
    // https://www.sqlite.org/fileformat2.html#the_database_header
    let number =
        |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    if !header.starts_with(b"SQLite format 3\0") {
        let what = if header.is_empty() { "the file is empty" } else { "the file is no SQLite database" };
        return Err(Trouble::new(StateFailure::Foreign, what));
    }
    if number(68) != Some(APPLICATION_ID) {
        return Err(Trouble::new(StateFailure::Foreign, "the SQLite database is another program's"));
    }
    match number(60) {
        Some(FORMAT) => {}
        Some(format) if format > FORMAT => {
            let what = format!("its format is {format}, and this version knows {FORMAT}");
            return Err(Trouble::new(StateFailure::Newer, &what));
        }
        _ => return Err(Trouble::new(StateFailure::Corrupt, "its format is missing")),
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 && fs::set_permissions(path, Permissions::from_mode(mode & 0o700)).is_err() {
        let what = format!("its mode is {mode:04o}, open to other users, and it is not ours to narrow");
        return Err(Trouble::new(StateFailure::Denied, &what));
    }
    Ok(Some((metadata.dev(), metadata.ino())))
}

/// The first 100 bytes of a file, or as many as it has.
///
/// The file is never closed again: the system would then release every lock that SQLite holds on it for any connection
/// of this process, and the next process to close it would take itself for the last and remove the log from under them
/// (<https://www.sqlite.org/howtocorrupt.html>, 2.2). That is one open file for each store that a process ever uses.
fn header(path: &Path, metadata: &fs::Metadata) -> io::Result<Vec<u8>> {
    static LOOKED_AT: Mutex<BTreeMap<FileId, File>> = Mutex::new(BTreeMap::new());
    let mut looked_at = LOOKED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = (metadata.dev(), metadata.ino());
    if !looked_at.contains_key(&wanted) {
        let file = File::open(path)?;
        let opened = file.metadata()?;
        // Another file by now, and one that was opened before: the second of its kind must not be closed either.
        if let Some(second) = looked_at.insert((opened.dev(), opened.ino()), file) {
            std::mem::forget(second);
        }
    }
    let file = looked_at.get(&wanted).ok_or(io::ErrorKind::NotFound)?;
    let mut header = vec![0; 100];
    let length = file.read_at(&mut header, 0)?;
    header.truncate(length);
    Ok(header)
}

/// Makes a store, unless somebody else has just done so.
async fn make(path: &Path, clock: Clock) -> Result<(), Trouble> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let temporary = folder.join(format!(".boothds-{:016x}.tmp", rand::random::<u64>()));
    let locked = folder.clone();
    let new = temporary.clone();
    let lock = blocking(path, move |path| {
        let failed = |error| Trouble::io("make the folder of the file", &error);
        DirBuilder::new().recursive(true).mode(0o700).create(&locked).map_err(failed)?;
        let lock = File::open(&locked).map_err(failed)?;
        lock.lock().map_err(failed)?;
        if path.metadata().is_ok() {
            return Ok(None);
        }
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
        made.map_err(|error| Trouble::io("make the file", &error))?;
        Ok(Some(lock))
    });
    let Some(lock) = lock.await? else { return Ok(()) };
    let filled = fill(&temporary, clock).await;
    let placed = blocking(path, move |path| {
        let placed =
            filled.and_then(|()| place(&temporary, path).map_err(|e| Trouble::io("make the file", &e)));
        // Where there was no room for it, its log is still there too.
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(beside(&temporary, ending));
        }
        placed
    });
    let placed = placed.await;
    drop(lock);
    placed
}

/// Makes sure that a file could be made here, without leaving anything: a folder of its own is made where it would be, or
/// where its folder would be, and removed again.
pub(super) async fn could_be_made(path: &Path) -> Result<(), Trouble> {
    blocking(path, |path| {
        if path.symlink_metadata().is_ok() {
            return Err(Trouble::new(StateFailure::Foreign, "a link that leads nowhere is in the way"));
        }
        let folders = path.ancestors().skip(1);
        let mut folders =
            folders.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        let Some(folder) = folders.find(|folder| folder.symlink_metadata().is_ok()) else {
            return Err(Trouble::new(StateFailure::Other, "it has no folder"));
        };
        let trial = folder.join(format!(".boothds-{:016x}.tmp", rand::random::<u64>()));
        let failed = |error| Trouble::io("make the file", &error);
        DirBuilder::new().mode(0o700).create(&trial).map_err(failed)?;
        fs::remove_dir(&trial).map_err(failed)
    })
    .await
}

async fn fill(path: &Path, clock: Clock) -> Result<(), Trouble> {
    let mut connection = options(path).connect().await?;
    // Grows from file to file, and differs also when two are made within a millisecond or by a clock that went back.
    let random = i64::from(rand::random::<u32>() >> 12);
    let generation = (clock.now().as_millisecond().clamp(1, (1 << 42) - 1) << 20) | random;
    let sql = format!(
        "PRAGMA journal_mode = WAL; BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};
         {TABLES} INSERT INTO store VALUES ({generation}); COMMIT;"
    );
    let filled = connection.execute(raw_sql(&sql)).await;
    // The last connection writes the log into the file and removes it.
    let closed = connection.close().await;
    filled?;
    Ok(closed?)
}

/// Gives a complete file its name. A link that leads nowhere is in the way, and is left as it is.
fn place(temporary: &Path, path: &Path) -> io::Result<()> {
    for ending in ["-wal", "-shm"] {
        match fs::remove_file(beside(path, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::hard_link(temporary, path)
}

/// The path with something behind its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
