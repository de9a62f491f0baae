//! The sealed form of keys, the keys that seal them, and the ring that opens what earlier keys sealed.
//!
//! ```
//! use boothds::cipher::{EncryptionKey, KeyRing};
//!
//! let ring = KeyRing::new(EncryptionKey::generate(), Vec::new());
//! let sealed = ring.seal("sb_secret_example");
//! let opened = ring.open(&sealed)?;
//! assert_eq!(opened.plaintext.expose(), "sb_secret_example");
//! assert_eq!(opened.key_id, ring.current().id());
//! # Ok::<(), boothds::cipher::OpenError>(())
//! ```

mod authenticator;
mod key;
mod ring;
mod sealed;
mod state;

pub use authenticator::{Authenticator, Code};
pub use key::{EncryptionKey, KeyError, KeyId};
pub use ring::{KeyRing, Opened, load_keys};
pub use sealed::{OpenError, Sealed};
pub use state::{Inspection, KeyState, inspect};
