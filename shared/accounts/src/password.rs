//! Passwords that nobody will know: the person sets one by "forgot password".

use aws_sdk_cognitoidentityprovider::types::PasswordPolicyType;
use crosswalk_function_kit::Entropy;
use rand::seq::{IndexedRandom, SliceRandom};
use secrecy::SecretString;

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
/// Of what Cognito counts as special characters, those that no JSON or shell has an opinion about.
const SYMBOLS: &[u8] = b"^*.[]{}()?-@#%/,>:;|_~+=";

/// 20 of 86 characters are 128 bits.
const SHORTEST: usize = 20;
/// AdminSetUserPassword takes no more.
const LONGEST: usize = 256;

/// How long a pool wants its passwords; the four classes are always there, so no other rule of a policy matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PasswordLength(usize);

impl PasswordLength {
    pub(crate) fn of_policy(policy: Option<&PasswordPolicyType>) -> Self {
        let least = policy.and_then(PasswordPolicyType::minimum_length).unwrap_or(0);
        Self(usize::try_from(least).unwrap_or(0).clamp(SHORTEST, LONGEST))
    }
}

/// A random password of all four classes. Its memory is wiped when it is dropped.
pub(crate) fn random_password(length: PasswordLength, entropy: &Entropy) -> SecretString {
    let all = [LOWER, UPPER, DIGITS, SYMBOLS];
    // Exactly as large as it will be: growing would leave copies behind.
    let mut password = String::with_capacity(length.0);
    entropy.draw(|rng| {
        let mut classes: Vec<usize> = (0..all.len()).collect();
        let every = all.concat();
        let mut places: Vec<Option<usize>> = vec![None; length.0 - all.len()];
        places.extend(classes.drain(..).map(Some));
        places.shuffle(rng);
        for class in places {
            let from: &[u8] = class.map_or(&every, |class| all[class]);
            if let Some(character) = from.choose(rng) {
                password.push(char::from(*character));
            }
        }
    });
    SecretString::from(password)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn of(minimum: Option<i32>, entropy: &Entropy) -> String {
        let policy = PasswordPolicyType::builder().set_minimum_length(minimum).build();
        let length = PasswordLength::of_policy(Some(&policy));
        random_password(length, entropy).expose_secret().to_owned()
    }

    proptest! {
        #[test]
        fn every_policy_is_satisfied(minimum in proptest::option::of(-1..=400_i32), seed: u64) {
            let password = of(minimum, &Entropy::seeded(seed));
            let least = usize::try_from(minimum.unwrap_or(0)).unwrap_or(0).clamp(16, 256);
            prop_assert!(password.len() >= least && password.len() <= 256);
            for class in [LOWER, UPPER, DIGITS, SYMBOLS] {
                prop_assert!(password.bytes().any(|byte| class.contains(&byte)));
            }
            prop_assert!(password.chars().all(|c| c.is_ascii_graphic()));
        }
    }

    #[test]
    fn no_two_are_alike_and_every_character_is_drawn_everywhere() {
        let entropy = Entropy::seeded(7);
        let drawn: Vec<String> = (0..5_000).map(|_| of(None, &entropy)).collect();
        assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), drawn.len());
        for at in 0..SHORTEST {
            let here: HashSet<u8> = drawn.iter().map(|password| password.as_bytes()[at]).collect();
            assert_eq!(here.len(), LOWER.len() + UPPER.len() + DIGITS.len() + SYMBOLS.len(), "at {at}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        let password = random_password(PasswordLength::of_policy(None), &Entropy::seeded(7));
        assert!(!format!("{password:?}").contains(password.expose_secret()));
    }
}
