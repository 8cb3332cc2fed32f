package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/netip"
	"strings"
	"testing"
)

// v2 makes a header of version 2.
func v2(command, family byte, addresses string) string {
	b := append([]byte(signature), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(addresses)))
	return string(b) + addresses
}

// summed puts a checksum at the end of a header of version 2 for TCP over IPv4.
func summed(flip byte) string {
	h := []byte(v2(versionProxy, tcp4, "\xcb\x00\x71\x09\x0a\x00\x00\x01\x12\x34\x01\xbb"+"\x03\x00\x04\x00\x00\x00\x00"))
	sum := crc32.Checksum(h, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(h[len(h)-4:], sum)
	h[len(h)-1] ^= flip
	return string(h)
}

const (
	ends4 = "\xcb\x00\x71\x09\x0a\x00\x00\x01\x12\x34\x01\xbb" // 203.0.113.9:4660 to 10.0.0.1:443
	ends6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x12\x34\x01\xbb"
)

func TestRead(t *testing.T) {
	for name, c := range map[string]struct{ header, want string }{
		"TCP4":                   {"PROXY TCP4 203.0.113.9 10.0.0.1 4660 443\r\n", "203.0.113.9:4660"},
		"TCP6":                   {"PROXY TCP6 2001:db8::7 2001:db8::1 4660 443\r\n", "[2001:db8::7]:4660"},
		"the longest":            {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "invalid"}, // multicast
		"mapped":                 {"PROXY TCP6 ::ffff:203.0.113.9 2001:db8::1 4660 443\r\n", "203.0.113.9:4660"},
		"unknown":                {"PROXY UNKNOWN\r\n", ""},
		"unknown, more":          {"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", ""},
		"two spaces":             {"PROXY  TCP4 203.0.113.9 10.0.0.1 4660 443\r\n", "invalid"},
		"leading zero, port":     {"PROXY TCP4 203.0.113.9 10.0.0.1 04660 443\r\n", "invalid"},
		"leading zero, address":  {"PROXY TCP4 203.000.113.9 10.0.0.1 4660 443\r\n", "invalid"},
		"port":                   {"PROXY TCP4 203.0.113.9 10.0.0.1 65536 443\r\n", "invalid"},
		"signed port":            {"PROXY TCP4 203.0.113.9 10.0.0.1 +80 443\r\n", "invalid"},
		"other family":           {"PROXY TCP4 2001:db8::7 2001:db8::1 4660 443\r\n", "invalid"},
		"zone":                   {"PROXY TCP6 fe80::1%eth0 2001:db8::1 4660 443\r\n", "invalid"},
		"UDP":                    {"PROXY UDP4 203.0.113.9 10.0.0.1 4660 443\r\n", "invalid"},
		"lower case":             {"proxy TCP4 203.0.113.9 10.0.0.1 4660 443\r\n", "invalid"},
		"line feed alone":        {"PROXY TCP4 203.0.113.9 10.0.0.1 4660 443\nGET / HTTP/1.1\r\n", "invalid"},
		"more fields":            {"PROXY TCP4 203.0.113.9 10.0.0.1 4660 443 x\r\n", "invalid"},
		"endless":                {"PROXY TCP4 " + strings.Repeat("1", 200), "invalid"},
		"everywhere":             {"PROXY TCP4 0.0.0.0 10.0.0.1 4660 443\r\n", "invalid"},
		"everywhere, mapped":     {"PROXY TCP6 ::ffff:0.0.0.0 2001:db8::1 4660 443\r\n", "invalid"},
		"a request":              {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "invalid"},
		"two: TCP4":              {v2(versionProxy, tcp4, ends4), "203.0.113.9:4660"},
		"two: TCP6":              {v2(versionProxy, tcp6, ends6), "[2001:db8::7]:4660"},
		"two: local":             {v2(versionLocal, tcp4, ends4), ""},
		"two: local, bare":       {v2(versionLocal, 0, ""), ""},
		"two: unspecified":       {v2(versionProxy, 0, "anything"), ""},
		"two: UDP":               {v2(versionProxy, 0x12, ends4), "invalid"},
		"two: UNIX":              {v2(versionProxy, 0x31, strings.Repeat("x", 216)), "invalid"},
		"two: version 1":         {v2(0x11, tcp4, ends4), "invalid"},
		"two: command 2":         {v2(0x22, tcp4, ends4), "invalid"},
		"two: too short":         {v2(versionProxy, tcp6, ends4), "invalid"},
		"two: extension":         {v2(versionProxy, tcp4, ends4+"\xea\x00\x02ab\x04\x00\x00"), "203.0.113.9:4660"},
		"two: extension, cut":    {v2(versionProxy, tcp4, ends4+"\xea\x00"), "invalid"},
		"two: extension, longer": {v2(versionProxy, tcp4, ends4+"\xea\x00\x09ab"), "invalid"},
		"two: checksum":          {summed(0), "203.0.113.9:4660"},
		"two: checksum, wrong":   {summed(1), "invalid"},
		"two: checksum, short":   {v2(versionProxy, tcp4, ends4+"\x03\x00\x01a"), "invalid"},
		"two: long":              {v2(versionProxy, tcp4, ends4+strings.Repeat("\x04\x00\x00", 2000)), "invalid"},
		"two: damaged signature": {"\r\n\r\n\x00\r\nQUIT\r" + v2(versionProxy, tcp4, ends4)[12:], "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			rest := strings.NewReader(c.header + "GET")
			got, err := Read(rest)
			if c.want == "invalid" {
				if !errors.Is(err, ErrHeader) {
					t.Errorf("%v %v, want ErrHeader", got, err)
				}
				return
			}
			want := netip.AddrPort{}
			if c.want != "" {
				want = netip.MustParseAddrPort(c.want)
			}
			if b, _ := io.ReadAll(rest); err != nil || got != want || string(b) != "GET" {
				t.Errorf("%v %v, %q left; want %v", got, err, b, want)
			}
			for cut := range len(c.header) { // wherever it ends early, that is an error
				if got, err := Read(strings.NewReader(c.header[:cut])); err == nil {
					t.Errorf("the first %d bytes: %v", cut, got)
				}
			}
		})
	}
}

// FuzzRead: nothing is read beyond the bound, addresses are usable, and what is
// accepted is accepted from any reader, byte by byte too.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"PROXY TCP4 203.0.113.9 10.0.0.1 4660 443\r\nGET", "PROXY UNKNOWN\r\n", v2(versionProxy, tcp4, ends4) + "GET", v2(versionProxy, tcp6, ends6), summed(0)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, single := bytes.NewReader(b), bytes.NewReader(b)
		got, err := Read(whole)
		again, errAgain := Read(oneByOne{single})
		if got != again || (err == nil) != (errAgain == nil) || whole.Len() != single.Len() {
			t.Fatalf("%v %v, %v %v", got, err, again, errAgain)
		}
		if read := len(b) - whole.Len(); read > 16+maxAddresses {
			t.Fatalf("%d bytes were read", read)
		}
		if err == nil && got.IsValid() && (got.Addr().IsUnspecified() || got.Addr().IsMulticast() || got.Addr().Is4In6() || got.Addr().Zone() != "") {
			t.Fatalf("a client at %v", got)
		}
	})
}

type oneByOne struct{ io.Reader }

func (r oneByOne) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(1, len(b))]) }
