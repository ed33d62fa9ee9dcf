use std::fmt;
use std::str::FromStr;

/// How much a run may remove: so many, or so many in a hundred of what the last good run knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// A number, such as `25`; `0` lets nothing be removed.
    Count(u64),
    /// Hundredths of a percent, 0 to 10,000: `5%` is 500.
    Share(u32),
}

/// Why a text is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a number such as `25`, or a share such as `10%` (0% to 100%, at most two decimals)")]
pub struct LimitError;

impl Limit {
    /// The most that may be removed of so many: a share is rounded up, and is at least 1 unless it is `0%`.
    pub fn of(self, known: u64) -> u64 {
        match self {
            Self::Count(most) => most,
            Self::Share(0) => 0,
            Self::Share(share) => {
                let most = (u128::from(known) * u128::from(share)).div_ceil(10_000);
                u64::try_from(most).unwrap_or(u64::MAX).max(1)
            }
        }
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(given: &str) -> Result<Self, LimitError> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let Some(share) = given.trim().strip_suffix('%') else {
            let count = given.trim();
            return if digits(count) {
                count.parse().map(Self::Count).map_err(|_| LimitError)
            } else {
                Err(LimitError)
            };
        };
        let (whole, decimals) = share.trim_end().split_once('.').unwrap_or((share.trim_end(), "0"));
        if !digits(whole) || !digits(decimals) || !(1..=2).contains(&decimals.len()) {
            return Err(LimitError);
        }
        let parse = |text: &str| text.parse::<u32>().map_err(|_| LimitError);
        let hundredths = parse(decimals)? * if decimals.len() == 1 { 10 } else { 1 };
        match parse(whole)?.checked_mul(100).map(|whole| whole + hundredths) {
            Some(share) if share <= 10_000 => Ok(Self::Share(share)),
            _ => Err(LimitError),
        }
    }
}

/// As it is written in a setting.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(most) => write!(f, "{most}"),
            Self::Share(share) => match (share / 100, share % 100) {
                (whole, 0) => write!(f, "{whole}%"),
                (whole, hundredths) if hundredths % 10 == 0 => write!(f, "{whole}.{}%", hundredths / 10),
                (whole, hundredths) => write!(f, "{whole}.{hundredths:02}%"),
            },
        }
    }
}

/// The guard stopped a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plan removes {removals} of the {known} {what} of the last good run; the limit {limit} allows {most}")]
pub struct Tripped {
    /// What would be removed, in the plural: `people`, `teams`, …
    pub what: &'static str,
    /// How many would be removed.
    pub removals: u64,
    /// How many the last good run knew.
    pub known: u64,
    /// The limit.
    pub limit: Limit,
    /// What the limit allows of so many.
    pub most: u64,
}

/// Lets a plan through that removes no more of `what` than the limit allows; `known` is how many the last good run knew.
///
/// # Errors
/// The numbers, if it removes more.
pub fn guard(what: &'static str, removals: u64, known: u64, limit: Limit) -> Result<(), Tripped> {
    let most = limit.of(known);
    if removals > most { Err(Tripped { what, removals, known, limit, most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_read_and_show() {
        for (given, limit) in [
            ("25", Limit::Count(25)),
            ("0", Limit::Count(0)),
            ("10%", Limit::Share(1_000)),
            (" 5 % ", Limit::Share(500)),
            ("0.5%", Limit::Share(50)),
            ("12.25%", Limit::Share(1_225)),
            ("7.05%", Limit::Share(705)),
            ("100%", Limit::Share(10_000)),
        ] {
            assert_eq!(given.parse(), Ok(limit), "{given}");
            assert_eq!(limit.to_string().parse(), Ok(limit), "{limit}");
        }
        for bad in ["", "%", "-1", "+1", "1.5", "101%", "100.01%", "1.234%", "ten", "5%%", ".5%", "5.%", "99999999999%"]
        {
            assert_eq!(bad.parse::<Limit>(), Err(LimitError), "{bad}");
        }
    }

    #[test]
    fn a_share_is_rounded_up_and_at_least_one() {
        for (limit, known, most) in
            [("10%", 95, 10), ("10%", 3, 1), ("10%", 0, 1), ("0%", 100, 0), ("0.01%", 20_000, 2), ("7", 3, 7)]
        {
            assert_eq!(limit.parse::<Limit>().unwrap().of(known), most, "{limit} of {known}");
        }
    }

    #[test]
    fn the_numbers_are_told() {
        let tripped = guard("people", 31, 300, Limit::Share(1_000)).unwrap_err();
        assert_eq!(
            tripped.to_string(),
            "the plan removes 31 of the 300 people of the last good run; the limit 10% allows 30"
        );
        assert_eq!(guard("people", 30, 300, Limit::Share(1_000)), Ok(()));
    }

    proptest! {
        #[test]
        fn a_share_never_allows_more_than_it_says(share in 1_u32..=10_000, known in 0_u64..1_000_000) {
            let most = Limit::Share(share).of(known);
            prop_assert!(most == 1 || (most - 1) * 10_000 < known * u64::from(share));
        }
    }
}
