package aggregate

import "strings"

// minorUnits holds the currencies of ISO 4217 (List One, published by SIX as
// maintenance agency, 2026-01-01) and how many decimals their minor units have.
// Codes without a minor unit, such as gold and those for tests, are not in it.
var minorUnits = currencies(
	// none
	"BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
	"", // one
	// two
	`AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
	CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
	GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL
	MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
	PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
	TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG`,
	// three
	"BHD IQD JOD KWD LYD OMR TND",
	// four
	"CLF UYW",
)

// currencies makes the table from a list of codes for each number of decimals.
func currencies(byDecimals ...string) map[string]int {
	table := map[string]int{}
	for decimals, codes := range byDecimals {
		for _, code := range strings.Fields(codes) {
			table[code] = decimals
		}
	}
	return table
}

// minorDigits returns how many decimals a currency's minor unit has; two for a
// code that is not in the table, which a rates file may have.
func minorDigits(currency string) int {
	if digits, ok := minorUnits[currency]; ok {
		return digits
	}
	return 2
}

// currencyForm reports whether s has the form of an ISO 4217 code.
func currencyForm(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return len(s) == 3
}

// knownCurrency reports whether s is a currency that figures can be kept in.
func knownCurrency(s string) bool {
	_, known := minorUnits[s]
	return known
}
