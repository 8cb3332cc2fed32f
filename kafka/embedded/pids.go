package embedded

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
)

// pidsName is kfake's log of producers. Each entry is framed by its length
// (4 bytes, of what follows the checksum), a checksum (4) and a version (2),
// little endian; the rest is JSON.
const (
	pidsName     = "pids.log"
	pidsVersion  = 1
	frameBytes   = 8
	versionBytes = 2
)

// pidEntry is an entry of that log, as far as it matters here.
type pidEntry struct {
	Type   string `json:"type"` // init, endtx, timeout
	PID    int64  `json:"pid"`
	Epoch  int16  `json:"epoch"`
	Commit *bool  `json:"commit,omitempty"`
}

// endProducers moves the epoch of each producer past a transaction that repair
// ended, unless it is past it already. The producer's next request is then
// refused, or, when it asks again for a commit that did happen, confirmed.
func endProducers(dir string, ended map[transaction]bool) error {
	if len(ended) == 0 {
		return nil
	}
	path := filepath.Join(dir, pidsName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	epochs, good := readPids(raw)
	out := raw[:good]
	for t, commit := range ended {
		if now, known := epochs[t.producer]; !known || now > t.epoch || t.epoch >= math.MaxInt16-1 {
			continue
		}
		out = appendPid(out, pidEntry{Type: "endtx", PID: t.producer, Epoch: t.epoch + 1, Commit: &commit})
	}
	return writeSynced(path, out)
}

// readPids returns the epoch of each producer and how many bytes are good.
func readPids(raw []byte) (epochs map[int64]int16, good int) {
	epochs = map[int64]int16{}
	for {
		rest := raw[good:]
		if len(rest) < frameBytes+versionBytes {
			return epochs, good
		}
		length := int(binary.LittleEndian.Uint32(rest))
		if length < versionBytes || length > len(rest)-frameBytes {
			return epochs, good
		}
		body := rest[frameBytes : frameBytes+length]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(rest[4:]) {
			return epochs, good
		}
		var e pidEntry
		if json.Unmarshal(body[versionBytes:], &e) == nil {
			epochs[e.PID] = e.Epoch
		}
		good += frameBytes + length
	}
}

func appendPid(b []byte, e pidEntry) []byte {
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // numbers and strings always marshal
	}
	body := binary.LittleEndian.AppendUint16(nil, pidsVersion)
	body = append(body, data...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(body, castagnoli))
	return append(b, body...)
}
