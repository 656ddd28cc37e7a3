//! A place for tests that see vouch from outside: all of them lie in `tests/`.
