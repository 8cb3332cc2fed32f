// Package e2e proves the whole system from outside: real processes, a real log,
// a year of real purchases, and an oracle that shares no code with livemap.
// Start at TestJourney.
//
// The oracle is DuckDB over the same Parquet files (oracle.py, expected.sql,
// compare.sql); oracle_test.py proves the oracle. "make setup" fetches what all
// of it needs. With -short the package does nothing, for it takes minutes.
package e2e
