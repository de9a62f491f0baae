//! temporary
pub mod cipher;
pub mod clock;
pub mod credential;
pub mod failure;
pub mod finding;
pub mod private_file;
pub mod sanitize;
pub mod secret;
pub mod settings;
pub mod tenant;
pub mod url;
pub mod diagnosis; pub mod catalogue;
pub mod sql; pub mod source;
pub mod probe; pub mod survey;
