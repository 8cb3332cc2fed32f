package auth

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// strictBase64 is base64url without padding and without spare bits. It passes
// over line feeds and carriage returns, as all of encoding/base64 does: see
// [oneLine].
var strictBase64 = base64.RawURLEncoding.Strict()

// oneLine says whether text has no line ends.
func oneLine(text string) bool { return !strings.ContainsAny(text, "\r\n") }

// notDigit marks what is no digit of base64url, above the 24 bits of a group.
const notDigit = 1 << 31

// digits has what a byte of text means at each place of a group of four, shifted
// to where it belongs in the group's 24 bits.
var digits = func() (t [4][256]uint32) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for place := range t {
		for c := range t[place] {
			t[place][c] = notDigit
		}
		for value, c := range []byte(alphabet) {
			t[place][c] = uint32(value) << (18 - 6*place) // #nosec G115 -- below 64
		}
	}
	return t
}()

// decodeBase64 decodes a part of a token into to, which must have room for
// base64.RawURLEncoding.DecodedLen of it. It takes what strictBase64 does but for
// line ends, so that a part can be written in one way only; FuzzBase64 holds the
// two against each other. The time of encoding/base64 would be a tenth of what a
// token of HS256 costs; this takes half of that.
func decodeBase64(to, text []byte) (n int, ok bool) {
	var seen uint32
	for len(text) >= 8 && len(to)-n >= 8 {
		high := digits[0][text[0]] | digits[1][text[1]] | digits[2][text[2]] | digits[3][text[3]]
		low := digits[0][text[4]] | digits[1][text[5]] | digits[2][text[6]] | digits[3][text[7]]
		seen |= high | low
		// Two bytes too many, which the next groups overwrite.
		binary.BigEndian.PutUint64(to[n:], uint64(high)<<40|uint64(low)<<16)
		text, n = text[8:], n+6
	}
	for len(text) >= 4 {
		group := digits[0][text[0]] | digits[1][text[1]] | digits[2][text[2]] | digits[3][text[3]]
		seen |= group
		to[n], to[n+1], to[n+2] = byte(group>>16), byte(group>>8), byte(group) // #nosec G115 -- the bytes of it
		text, n = text[4:], n+3
	}
	switch len(text) {
	case 1:
		return 0, false
	case 2:
		group := digits[0][text[0]] | digits[1][text[1]]
		seen |= group
		if group&0xF000 != 0 { // spare bits
			return 0, false
		}
		to[n] = byte(group >> 16) // #nosec G115 -- the byte of it
		n++
	case 3:
		group := digits[0][text[0]] | digits[1][text[1]] | digits[2][text[2]]
		seen |= group
		if group&0xC0 != 0 { // spare bits
			return 0, false
		}
		to[n], to[n+1] = byte(group>>16), byte(group>>8) // #nosec G115 -- the bytes of it
		n += 2
	}
	if seen&notDigit != 0 {
		return 0, false
	}
	return n, true
}
