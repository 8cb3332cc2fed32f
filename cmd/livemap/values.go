package main

import (
	"fmt"
	"time"
)

// What the packages that obey a flag read as "not set" is zero, as their Config
// has it. A person who writes zero means it.

// explicit turns a duration of zero that a person asked for into the negative
// one that such a Config reads as zero.
func explicit(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// notNegative refuses what explicit would turn into zero without a word.
func notNegative(flag string, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s %v: must not be negative", flag, d)
	}
	return nil
}

// notZero refuses the zero of a duration that cannot be zero, and whose Config
// would take the default instead.
func notZero(flag string, d time.Duration) error {
	if d == 0 {
		return fmt.Errorf("%s 0s: must be longer than nothing", flag)
	}
	return nil
}

// atLeastOne is notZero for a number. Negative ones are left to the Config.
func atLeastOne(flag string, n int) error {
	if n == 0 {
		return fmt.Errorf("%s 0: must be at least 1", flag)
	}
	return nil
}
