//! The files that pages link to: served from the binary, under a name with the digest of their content, so that a
//! browser may keep them for ever and never has an old one.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::page::{ASSETS, Asset};

/// Each asset with the name it is served under.
static SERVED: LazyLock<Vec<(String, &'static Asset)>> = LazyLock::new(|| {
    let served = |asset: &'static Asset| {
        let digest = Sha256::digest(asset.bytes);
        let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let (stem, ending) = asset.name.rsplit_once('.').unwrap_or((asset.name, "bin"));
        (format!("{stem}-{hash}.{ending}"), asset)
    };
    ASSETS.iter().map(served).collect()
});

/// The path under which the asset of that name is served; of a name that there is not, the folder.
#[must_use]
pub fn path(name: &str) -> String {
    let served = SERVED.iter().find(|(_, asset)| asset.name == name);
    format!("/assets/{}", served.map(|(served, _)| served.as_str()).unwrap_or_default())
}

/// The asset that is served under that name.
pub(super) fn find(served: &str) -> Option<&'static Asset> {
    SERVED.iter().find(|(name, _)| name == served).map(|(_, asset)| *asset)
}
