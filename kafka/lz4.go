package kafka

import (
	"encoding/binary"

	"github.com/pierrec/lz4/v4"
)

// The LZ4 frame format, version 1.6.2:
// https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
const (
	lz4Magic          = 0x184D2204
	lz4Version        = 0b0100_0000 // in the bits of lz4VersionMask
	lz4VersionMask    = 0b1100_0000
	lz4Independent    = 0b0010_0000
	lz4BlockChecksum  = 0b0001_0000
	lz4ContentSize    = 0b0000_1000
	lz4ContentSum     = 0b0000_0100
	lz4Reserved       = 0b0000_0010
	lz4Dictionary     = 0b0000_0001
	lz4HeaderBytes    = 7 // magic, flags, block size, checksum of the header
	lz4Uncompressed   = 1 << 31
	lz4SmallestBlocks = 4 // the code of 64 KiB; each further one is four times that
	lz4LargestBlocks  = 7
)

// appendLZ4 appends what one frame of independent blocks holds. It decompresses
// to where the bytes are to lie and leaves the frame's own checksum of contents
// alone, because the batch around it has one. For other frames, and for those
// that do not add up, ok is false and dst is as it was.
func appendLZ4(dst, in []byte) (out []byte, ok bool) {
	if len(in) < lz4HeaderBytes || binary.LittleEndian.Uint32(in) != lz4Magic {
		return dst, false
	}
	flags, size := in[4], in[5]>>4&7
	const unknown = lz4VersionMask | lz4Independent | lz4BlockChecksum | lz4ContentSize | lz4Reserved | lz4Dictionary
	if flags&unknown != lz4Version|lz4Independent || size < lz4SmallestBlocks {
		return dst, false
	}
	blockBytes := 1 << (8 + 2*size)
	out, in = dst, in[lz4HeaderBytes:]
	for len(in) >= 4 {
		head := binary.LittleEndian.Uint32(in)
		in = in[4:]
		if head == 0 {
			want := 0
			if flags&lz4ContentSum != 0 {
				want = 4
			}
			if len(in) != want {
				return dst, false
			}
			return out, true
		}
		n := int64(head &^ lz4Uncompressed)
		if n > int64(len(in)) || n > int64(blockBytes) || len(out)-len(dst) > maxDecompressedBytes-blockBytes {
			return dst, false
		}
		block := in[:n]
		in = in[n:]
		if head&lz4Uncompressed != 0 {
			out = append(out, block...)
			continue
		}
		if out, ok = appendLZ4Block(out, block, blockBytes); !ok {
			return dst, false
		}
	}
	return dst, false
}

// appendLZ4Block appends a block of at most blockBytes. Room is made for what a
// block usually holds first, and for the most it can only when that is short:
// blocks are declared as 4 MiB by who fills a few KiB, and JSON that is packed
// three to one is not to take room for eight.
func appendLZ4Block(out, block []byte, blockBytes int) ([]byte, bool) {
	for room := min(4*len(block)+64, blockBytes); ; room = blockBytes {
		out = grow(out, room)
		free := out[len(out):cap(out)]
		n, err := lz4.UncompressBlock(block, free[:min(len(free), blockBytes)])
		if err == nil {
			return out[:len(out)+n], true
		}
		if len(free) >= blockBytes {
			return out, false
		}
	}
}

// grow makes room for n more bytes, by doubling.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	out := make([]byte, len(b), max(2*cap(b), len(b)+n))
	copy(out, b)
	return out
}
