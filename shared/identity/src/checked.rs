use std::fmt;
use std::marker::PhantomData;

use crate::mask;

/// Text that was found to be a `T`, still borrowed. Each identifier's `check` gives it and its `parse` begins with it, so
/// that there is one set of rules for who needs the value and for who only asks whether there is one.
pub struct Checked<'a, T> {
    text: &'a str,
    found: PhantomData<fn() -> T>,
}

impl<'a, T> Checked<'a, T> {
    /// Only for a type's own `check`.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, found: PhantomData }
    }

    /// The text, less outer white space.
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// The value, which owns its text.
    pub fn keep(self) -> T
    where
        T: From<Self>,
    {
        T::from(self)
    }
}

// Derived ones would ask the same of T.
impl<T> Clone for Checked<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Checked<'_, T> {}

/// Masked.
impl<T> fmt::Debug for Checked<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checked({})", mask(self.text))
    }
}
