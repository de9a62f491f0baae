//! SQLite files opened for reading, so that nothing beside them is made or changed.
//!
//! A file of its own because the application database and a tenant's data source are opened alike, and because plain
//! read-only access is not harmless: of a database in WAL mode SQLite makes the files `-shm` and `-wal`, with our
//! owner and mode, and whoever writes to it next may be locked out by them.

use std::io::Read;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::diagnosis;
use crate::failure::{Failure, FailureClass};

/// Opens a file that must exist. SQLite reads it with the first question; until then anything passes for a database.
///
/// # Errors
/// [`FailureClass::FileMissing`], [`FailureClass::FileRefused`].
pub async fn open(path: &Path) -> Result<SqliteConnection, Failure> {
    // An absolute path is no name that SQLite would take for something else, such as `:memory:` or `file:…`.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let looked_at = path.clone();
    // Looking at a file on a dead network mount blocks; not on the runtime's own threads.
    let looked = tokio::task::spawn_blocking(move || is_at_rest(&looked_at)).await;
    let at_rest = looked.map_err(|_| Failure::new(FailureClass::Internal))??;
    let options = SqliteConnectOptions::new().filename(&path).read_only(true).immutable(at_rest);
    let options = options.disable_statement_logging();
    SqliteConnection::connect_with(&options).await.map_err(|error| diagnosis::sqlite(&error))
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
