//! `neto proxy` and `neto exec --decoy`: programs that hold nothing real, between real clients and a real server.

mod calls;
mod clients;
mod exec;
mod faults;
mod page;
mod served;
