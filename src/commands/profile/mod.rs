//! `neto profile`: manages the profiles in the store and the current profile.

pub(crate) mod add;
pub(crate) mod current;
pub(crate) mod edit;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod set_secret;
pub(crate) mod show;
pub(crate) mod use_;

mod pick;

pub(crate) mod credential_args;
pub(crate) mod settings_args;
