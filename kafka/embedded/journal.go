package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// journal remembers the last commit that was begun. kfake writes the markers of
// a transaction partition by partition; a process that dies in between leaves a
// transaction committed here and open there, and only the journal can say that
// it is to be committed.
//
// It is one record of journalBytes that is overwritten before each commit:
// producer, epoch, checksum. kfake handles one request at a time, so that at
// most one commit is ever under way. Only clients that give each transaction
// its own epoch (EndTxn version 5, KIP-890) are journalled, since for others the
// record would also fit their next transaction.
type journal struct {
	f   *os.File
	log *slog.Logger
}

const (
	journalName    = "livemap.commit"
	journalBytes   = 14
	endTxnOwnEpoch = 5
)

func openJournal(dir string, log *slog.Logger) (*journal, error) {
	f, err := os.OpenFile(filepath.Join(dir, journalName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("commit journal: %w", err)
	}
	return &journal{f, log}, nil
}

// note is a control function of kfake: it sees each EndTxn before it is
// handled and leaves the handling to kfake, unless the journal cannot be
// written; then the commit is refused.
func (j *journal) note(kreq kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake's signature
	req, ok := kreq.(*kmsg.EndTxnRequest)
	if !ok || !req.Commit || req.Version < endTxnOwnEpoch {
		return nil, nil, false
	}
	if err := j.write(transaction{req.ProducerID, req.ProducerEpoch}); err != nil {
		j.log.Error("embedded log: commit journal cannot be written; the commit is not carried out", "err", err)
		return nil, err, true // closes the connection
	}
	return nil, nil, false
}

func (j *journal) write(t transaction) error {
	b := make([]byte, 0, journalBytes)
	b = binary.BigEndian.AppendUint64(b, uint64(t.producer))
	b = binary.BigEndian.AppendUint16(b, uint16(t.epoch))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err := j.f.WriteAt(b, 0)
	return err
}

func (j *journal) close() error { return j.f.Close() }

// readJournal returns the transaction whose commit was begun last, or the zero
// transaction, which no producer has. A torn record means that its commit was
// not begun.
func readJournal(dir string) (transaction, error) {
	f, err := os.Open(filepath.Join(dir, journalName))
	if errors.Is(err, os.ErrNotExist) {
		return transaction{}, nil
	}
	if err != nil {
		return transaction{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	b := make([]byte, journalBytes)
	if _, err := io.ReadFull(f, b); err != nil {
		return transaction{}, nil //nolint:nilerr // never written, or torn
	}
	if crc32.Checksum(b[:10], castagnoli) != binary.BigEndian.Uint32(b[10:]) {
		return transaction{}, nil
	}
	return transaction{int64(binary.BigEndian.Uint64(b)), int16(binary.BigEndian.Uint16(b[8:]))}, nil
}
