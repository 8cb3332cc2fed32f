// Package proxyproto reads the PROXY protocol, versions 1 and 2, by which a
// balancer that speaks TCP only says whom it speaks for (HAProxy's
// proxy-protocol.txt, sections 2.1 and 2.2). Start at [Wrap]; [Read] is the
// parser. It writes none, and does not guess: who it expects a header from must
// send one.
package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Limits of a header.
const (
	maxLine      = 107     // bytes of version 1, its end included: section 2.1
	maxAddresses = 4 << 10 // bytes of addresses and TLVs of version 2, which could be 64 KiB
	shortest     = len("PROXY UNKNOWN\r\n")
)

// signature begins a header of version 2.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// ErrHeader says that a connection does not begin with a header, or with one
// that breaks the rules.
var ErrHeader = errors.New("no valid PROXY header")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrHeader}, args...)...)
}

// Read reads a header and not a byte of what follows it. It returns the client's
// address; the zero AddrPort where the header says that the balancer speaks for
// itself (LOCAL, UNKNOWN: a check of health). Errors are ErrHeader or r's own.
func Read(r io.Reader) (netip.AddrPort, error) {
	// No header is shorter, of either version, so that nothing else is read.
	head := make([]byte, shortest, maxLine)
	if _, err := io.ReadFull(r, head); err != nil {
		return netip.AddrPort{}, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("PROXY ")):
		return readLine(r, head)
	case bytes.HasPrefix(head, []byte(signature)):
		return readBinary(r, head)
	}
	return netip.AddrPort{}, invalid("it begins with %q", head)
}

// readLine reads the rest of version 1. Byte by byte, for its length is not
// known and what follows is not ours: at most 92 calls for each connection.
func readLine(r io.Reader, line []byte) (netip.AddrPort, error) {
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == maxLine {
			return netip.AddrPort{}, invalid("a line longer than %d bytes", maxLine)
		}
		line = line[:len(line)+1]
		if _, err := io.ReadFull(r, line[len(line)-1:]); err != nil {
			return netip.AddrPort{}, err
		}
	}
	text := strings.TrimSuffix(string(line), "\r\n")
	fields := strings.Split(text, " ")
	if len(fields) >= 2 && fields[1] == "UNKNOWN" {
		return netip.AddrPort{}, nil // what else stands there is to be ignored
	}
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return netip.AddrPort{}, invalid("%q", text)
	}
	var ends [2]netip.AddrPort
	for i := range ends {
		addr, err := netip.ParseAddr(fields[2+i])
		port, ok := parsePort(fields[4+i])
		if err != nil || !ok || addr.Is4() != (fields[1] == "TCP4") || addr.Zone() != "" {
			return netip.AddrPort{}, invalid("%q", text)
		}
		ends[i] = netip.AddrPortFrom(addr, port)
	}
	return client(ends[0])
}

// parsePort reads a port as section 2.1 has it: decimal, without leading zeros.
func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && strconv.FormatUint(n, 10) == s
}

// client refuses addresses that nobody can have.
func client(a netip.AddrPort) (netip.AddrPort, error) {
	ip := a.Addr().Unmap() // first: ::ffff:0.0.0.0 is nobody, either
	if ip.IsUnspecified() || ip.IsMulticast() {
		return netip.AddrPort{}, invalid("a client at %s", ip)
	}
	return netip.AddrPortFrom(ip, a.Port()), nil
}

// Fields of version 2: section 2.2.
const (
	versionLocal = 0x20
	versionProxy = 0x21
	unspecified  = 0x00
	tcp4         = 0x11
	tcp6         = 0x21
	typeCRC      = 0x03
)

// readBinary reads the rest of version 2.
func readBinary(r io.Reader, head []byte) (netip.AddrPort, error) {
	head = head[:16]
	if _, err := io.ReadFull(r, head[shortest:]); err != nil {
		return netip.AddrPort{}, err
	}
	command, family := head[12], head[13]
	size := int(binary.BigEndian.Uint16(head[14:]))
	if command != versionLocal && command != versionProxy {
		return netip.AddrPort{}, invalid("version and command %#x", command)
	}
	if size > maxAddresses {
		return netip.AddrPort{}, invalid("%d bytes of addresses, at most %d are read", size, maxAddresses)
	}
	whole := append(head, make([]byte, size)...)
	if _, err := io.ReadFull(r, whole[16:]); err != nil {
		return netip.AddrPort{}, err
	}
	if command == versionLocal {
		return netip.AddrPort{}, nil // addresses, if there are any, are to be ignored
	}
	var addr netip.Addr
	var ports int // where they stand in the addresses
	body := whole[16:]
	switch {
	case family == unspecified:
		return netip.AddrPort{}, nil
	case family == tcp4 && size >= 12:
		addr, ports = netip.AddrFrom4([4]byte(body)), 8
	case family == tcp6 && size >= 36:
		addr, ports = netip.AddrFrom16([16]byte(body)), 32
	default:
		return netip.AddrPort{}, invalid("family %#x with %d bytes", family, size)
	}
	if err := checkExtensions(whole, 16+ports+4); err != nil {
		return netip.AddrPort{}, err
	}
	return client(netip.AddrPortFrom(addr, binary.BigEndian.Uint16(body[ports:])))
}

// checkExtensions walks the TLVs, which begin at from, and verifies the checksum
// if there is one; the others tell nothing that is used here.
func checkExtensions(whole []byte, from int) error {
	for at := from; at < len(whole); {
		if len(whole)-at < 3 {
			return invalid("an extension is cut off")
		}
		size := int(binary.BigEndian.Uint16(whole[at+1:]))
		value := at + 3
		if size > len(whole)-value {
			return invalid("an extension is longer than the header")
		}
		if whole[at] == typeCRC {
			if size != 4 {
				return invalid("a checksum of %d bytes", size)
			}
			want := binary.BigEndian.Uint32(whole[value:])
			clear(whole[value : value+4]) // it is computed over zeros in its place
			if crc32.Checksum(whole, crc32.MakeTable(crc32.Castagnoli)) != want {
				return invalid("the checksum is wrong")
			}
			binary.BigEndian.PutUint32(whole[value:], want)
		}
		at = value + size
	}
	return nil
}
