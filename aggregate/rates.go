package aggregate

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"livemap/orders"
)

// baseCurrency is what the rates of the European Central Bank refer to.
const baseCurrency = "EUR"

const millisecondsPerDay = 86_400_000

// Rates are dated exchange rates: how much of each currency one euro buys. They
// are immutable and safe for concurrent use.
type Rates struct {
	days       []ratesOfDay // oldest first
	currencies map[string]bool
}

type ratesOfDay struct {
	day      int64 // days since 1970-01-01
	perEuro  map[string]*big.Rat
	position int // line in the file, for errors
}

// ParseRates reads rates in the layout of the ECB's reference rates file
// (eurofxref-hist.csv): a header "Date,USD,JPY,…", then a line per day, newest
// or oldest first, with the units of each currency per euro; "N/A" or nothing
// means no rate. A comma at the end of lines is tolerated. A day's line applies
// until the next day that has one. All bad lines are reported together.
func ParseRates(r io.Reader) (*Rates, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	in.TrimLeadingSpace = true
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("rates: header: %w", err)
	}
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	rates := &Rates{currencies: map[string]bool{baseCurrency: true}}
	var errs []error
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("rates: %w", err)
		}
		line, _ := in.FieldPos(0)
		day, err := parseRatesLine(header, fields)
		if err != nil {
			errs = append(errs, fmt.Errorf("rates: line %d: %w", line, err))
			continue
		}
		day.position = line
		rates.days = append(rates.days, day)
		for currency := range day.perEuro {
			rates.currencies[currency] = true
		}
	}
	errs = append(errs, rates.order()...)
	if len(rates.days) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("rates: no line with rates"))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return rates, nil
}

func checkHeader(header []string) error {
	if strings.TrimPrefix(strings.TrimSpace(header[0]), "\ufeff") != "Date" {
		return fmt.Errorf("rates: header begins with %q, want Date", header[0])
	}
	seen := map[string]bool{}
	for i, name := range header[1:] {
		name = strings.TrimSpace(name)
		header[i+1] = name
		if name == "" {
			continue
		}
		if !currencyForm(name) || name == baseCurrency || seen[name] {
			return fmt.Errorf("rates: header column %d is %q, want a currency code, each once", i+2, name)
		}
		seen[name] = true
	}
	return nil
}

func parseRatesLine(header, fields []string) (ratesOfDay, error) {
	date, err := time.Parse(time.DateOnly, strings.TrimSpace(fields[0]))
	if err != nil {
		return ratesOfDay{}, fmt.Errorf("date %q is not like 2026-11-27", fields[0])
	}
	day := ratesOfDay{
		day:     floorDiv(date.UnixMilli(), millisecondsPerDay),
		perEuro: map[string]*big.Rat{baseCurrency: big.NewRat(1, 1)},
	}
	for i, field := range fields[1:] {
		field = strings.TrimSpace(field)
		if field == "" || field == "N/A" {
			continue
		}
		if i+1 >= len(header) || header[i+1] == "" {
			return ratesOfDay{}, fmt.Errorf("column %d holds %q but has no currency in the header", i+2, field)
		}
		rate, ok := parseRate(field)
		if !ok {
			return ratesOfDay{}, fmt.Errorf("%s rate %q is not a positive decimal number", header[i+1], field)
		}
		day.perEuro[header[i+1]] = rate
	}
	return day, nil
}

// maxRateDigits bounds a rate's length, and with it the numbers it makes.
const maxRateDigits = 24

func parseRate(s string) (*big.Rat, bool) {
	if len(s) > maxRateDigits || strings.Trim(s, "0123456789.") != "" {
		return nil, false
	}
	rate, ok := new(big.Rat).SetString(s) // #nosec G113 -- mended in Go 1.17.7
	return rate, ok && rate.Sign() > 0
}

// order sorts the days and reports those that occur twice.
func (r *Rates) order() []error {
	slices.SortStableFunc(r.days, func(x, y ratesOfDay) int { return cmp.Compare(x.day, y.day) })
	var errs []error
	for i := 1; i < len(r.days); i++ {
		if r.days[i].day == r.days[i-1].day {
			errs = append(errs, fmt.Errorf("rates: lines %d and %d have the same date",
				r.days[i-1].position, r.days[i].position))
		}
	}
	return errs
}

// Knows reports whether there is a rate for a currency on some day.
func (r *Rates) Knows(currency string) bool { return r.currencies[currency] }

// at returns the position of the line in force at a time, -1 before the first.
func (r *Rates) at(t orders.Time) int {
	day := floorDiv(int64(t), millisecondsPerDay)
	i, found := slices.BinarySearchFunc(r.days, day, func(d ratesOfDay, day int64) int {
		return cmp.Compare(d.day, day)
	})
	if found {
		return i
	}
	return i - 1
}
