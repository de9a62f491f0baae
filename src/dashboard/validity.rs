//! How long the certificate of this service is valid. rustls does not look, since that is for those who connect to judge;
//! so that somebody learns of it before they do.

use jiff::{SignedDuration, Timestamp};
use x509_cert::der::Decode;

/// Before its end a certificate is to be renewed: by so much, or a third of its life if that is less. Who renews by
/// themselves does so earlier.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub from: Timestamp,
    /// The last moment.
    pub until: Timestamp,
}

/// How a certificate stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its time has not come.
    NotYet,
    /// Valid, and for long.
    Good,
    /// Valid, but to be renewed.
    Expiring,
    /// Its time is over.
    Expired,
}

impl Validity {
    /// Of a certificate in DER; `None` if it cannot be read.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
        let validity = certificate.tbs_certificate().validity();
        let moment = |time: x509_cert::time::Time| {
            // Of a time that there is no end to, the last that can be written.
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
            Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
        };
        Some(Self { from: moment(validity.not_before), until: moment(validity.not_after) })
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        let life = self.until.duration_since(self.from);
        let left = self.until.duration_since(now);
        match () {
            () if now > self.until => Standing::Expired,
            () if now < self.from => Standing::NotYet,
            () if left < SOON.min(life / 3) => Standing::Expiring,
            () => Standing::Good,
        }
    }

    /// What is wrong with it, if anything is, as a fragment of a sentence whose subject is the certificate.
    #[must_use]
    pub fn complaint(&self, now: Timestamp) -> Option<String> {
        let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        match self.standing(now) {
            Standing::Good => None,
            Standing::NotYet => Some(format!("is not valid before {}", day(self.from))),
            Standing::Expiring => Some(format!("expires on {}", day(self.until))),
            Standing::Expired => Some(format!("expired on {}", day(self.until))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_to_be_renewed_in_its_last_month_or_third() {
        let at = |text: &str| format!("{text}T12:00:00Z").parse::<Timestamp>().unwrap();
        let year = Validity { from: at("2026-01-01"), until: at("2026-12-31") };
        let week = Validity { from: at("2026-01-01"), until: at("2026-01-07") };
        for (validity, now, standing) in [
            (year, "2025-12-31", Standing::NotYet),
            (year, "2026-01-01", Standing::Good),
            (year, "2026-11-30", Standing::Good),
            (year, "2026-12-02", Standing::Expiring),
            (year, "2026-12-31", Standing::Expiring),
            (year, "2027-01-01", Standing::Expired),
            (week, "2026-01-04", Standing::Good),
            (week, "2026-01-06", Standing::Expiring),
        ] {
            assert_eq!(validity.standing(at(now)), standing, "{now}");
        }
        assert_eq!(year.complaint(at("2026-06-01")), None);
        assert_eq!(year.complaint(at("2027-06-01")).unwrap(), "expired on 2026-12-31 12:00 UTC");
    }
}
