package aggregate

// Verdict says what became of an order. The list is closed, so that it can be
// a metric label and the reason in a dead record's headers.
type Verdict uint8

const (
	// Accepted orders are in the figures.
	Accepted Verdict = iota
	// Corrected orders are in the figures too, but came after a window that
	// holds them was closed.
	Corrected
	// Duplicate orders repeat an accepted one and are dropped.
	Duplicate
	// Late orders came after Config.Lateness: they belong to orders.late.
	Late
	// DeadTime orders have an impossible event time.
	DeadTime
	// DeadRate orders have a currency without an exchange rate on their day.
	DeadRate
	// Replayed records were dealt with before a restart: nothing may be written
	// for them again.
	Replayed

	verdicts = int(Replayed) + 1
)

// Verdicts lists every Verdict.
func Verdicts() []Verdict {
	all := make([]Verdict, verdicts)
	for i := range all {
		all[i] = Verdict(i)
	}
	return all
}

// String returns the name used in metric labels. For dead orders it is the
// reason: "time" or "rate".
func (v Verdict) String() string {
	switch v {
	case Accepted:
		return "accepted"
	case Corrected:
		return "corrected"
	case Duplicate:
		return "duplicate"
	case Late:
		return "late"
	case DeadTime:
		return "time"
	case DeadRate:
		return "rate"
	case Replayed:
		return "replayed"
	}
	return "unknown"
}

// Dead reports whether the order belongs to orders.dead, with String as its
// reason.
func (v Verdict) Dead() bool { return v == DeadTime || v == DeadRate }
