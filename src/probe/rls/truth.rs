//! What may come out of a condition, in SQL's logic of three values.

/// What may come out of a condition: a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truth(u8);

impl Truth {
    pub(super) const TRUE: Self = Self(1);
    pub(super) const FALSE: Self = Self(2);
    pub(super) const NULL: Self = Self(4);
    /// True or false, but not null.
    pub(super) const KNOWN: Self = Self(3);
    pub(super) const ANY: Self = Self(7);

    /// Whether a row may be let through.
    pub(super) fn may_pass(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether it may be null.
    pub(super) fn may_be_null(self) -> bool {
        self.0 & Self::NULL.0 != 0
    }

    /// Whether every row is let through.
    pub(super) fn passes(self) -> bool {
        self == Self::TRUE
    }

    pub(super) fn of(condition: bool) -> Self {
        if condition { Self::TRUE } else { Self::FALSE }
    }

    fn each(self) -> impl Iterator<Item = Self> {
        [Self::TRUE, Self::FALSE, Self::NULL].into_iter().filter(move |one| self.0 & one.0 != 0)
    }

    pub(super) fn pairs(self, other: Self, with: impl Fn(Self, Self) -> Self) -> Self {
        let mut out = 0;
        for a in self.each() {
            for b in other.each() {
                out |= with(a, b).0;
            }
        }
        Self(out)
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.pairs(other, |a, b| match (a, b) {
            (Self::FALSE, _) | (_, Self::FALSE) => Self::FALSE,
            (Self::TRUE, Self::TRUE) => Self::TRUE,
            _ => Self::NULL,
        })
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.pairs(other, |a, b| match (a, b) {
            (Self::TRUE, _) | (_, Self::TRUE) => Self::TRUE,
            (Self::FALSE, Self::FALSE) => Self::FALSE,
            _ => Self::NULL,
        })
    }

    pub(super) fn not(self) -> Self {
        let mut out = 0;
        for one in self.each() {
            out |= match one {
                Self::TRUE => Self::FALSE.0,
                Self::FALSE => Self::TRUE.0,
                other => other.0,
            };
        }
        Self(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logic_is_that_of_sql() {
        for (a, b, both, either) in [
            (Truth::TRUE, Truth::NULL, Truth::NULL, Truth::TRUE),
            (Truth::FALSE, Truth::NULL, Truth::FALSE, Truth::NULL),
            (Truth::NULL, Truth::NULL, Truth::NULL, Truth::NULL),
            (Truth::TRUE, Truth::FALSE, Truth::FALSE, Truth::TRUE),
            (Truth::FALSE, Truth::ANY, Truth::FALSE, Truth::ANY),
            (Truth::TRUE, Truth::ANY, Truth::ANY, Truth::TRUE),
        ] {
            assert_eq!((a.and(b), b.and(a)), (both, both), "{a:?} and {b:?}");
            assert_eq!((a.or(b), b.or(a)), (either, either), "{a:?} or {b:?}");
        }
        assert!(!Truth::NULL.and(Truth::ANY).may_pass());
        assert_eq!((Truth::NULL.not(), Truth::KNOWN.not()), (Truth::NULL, Truth::KNOWN));
    }
}
