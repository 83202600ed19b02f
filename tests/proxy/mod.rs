//! `neto proxy` and `neto exec --decoy`: programs without a real credential, between real clients and a real server.

mod calls;
mod clients;
mod exec;
mod faults;
mod page;
mod running;
