package aggregate

// minorUnits lists the currencies of ISO 4217 (List One, published by SIX as
// maintenance agency, 2026-01-01) whose minor unit is not two digits.
var minorUnits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0,
	"PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// minorDigits returns how many decimals a currency's minor unit has.
func minorDigits(currency string) int {
	if digits, ok := minorUnits[currency]; ok {
		return digits
	}
	return 2
}

// validCurrency reports whether s has the form of an ISO 4217 code.
func validCurrency(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return len(s) == 3
}
