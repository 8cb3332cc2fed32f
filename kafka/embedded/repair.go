package embedded

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// openName is the file that says that the log was opened and not yet closed.
// Found on opening it means that the last process died.
const openName = "livemap.open"

// repair makes a data directory whole again after its process died, before
// kfake loads it. Left alone kfake would lose what was promised:
//
//   - A transaction that was open is taken for aborted without a marker in the
//     log. Readers end an aborted range at its marker, so they would also drop
//     what the same producer commits later. repair writes the marker.
//   - A transaction of which only some partitions have their commit marker would
//     be committed there and aborted elsewhere. The journal (journal.go) knows
//     that its commit was under way; repair writes the missing markers.
//   - A batch whose index entry was not yet written would count as written
//     outside its transaction. repair rebuilds the index of the last segment.
//   - The producer would go on in the aborted transaction and commit its second
//     half. repair moves its epoch on, so that it is fenced (pids.go).
//   - Sequence numbers saved at the last orderly close would make a producer that
//     lives on fail. repair drops them.
func repair(dir string, log *slog.Logger) error {
	_, err := os.Stat(filepath.Join(dir, openName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	log.Info("embedded log: the last process did not close it; checking what it left", "dir", dir)
	if err := os.Remove(filepath.Join(dir, "seq_windows.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	committing, err := readJournal(dir)
	if err != nil {
		return err
	}
	parts, err := os.ReadDir(filepath.Join(dir, "partitions"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ended := map[transaction]bool{} // to whether it was committed
	for _, p := range parts {
		if err := repairPartition(filepath.Join(dir, "partitions", p.Name()), committing, ended, log); err != nil {
			return fmt.Errorf("partition %s: %w", p.Name(), err)
		}
	}
	return endProducers(dir, ended)
}

// transaction identifies a transaction: since Kafka 4 (KIP-890) each one of a
// producer has its own epoch.
type transaction struct {
	producer int64
	epoch    int16
}

// repairPartition cuts off a torn end, rebuilds the last index and ends open
// transactions.
func repairPartition(dir string, committing transaction, ended map[transaction]bool, log *slog.Logger) error {
	segs, err := segments(dir)
	if err != nil || len(segs) == 0 {
		return err
	}
	open := map[int64]transaction{} // by producer
	var last batchHead
	var index []byte
	for i, s := range segs {
		final := i == len(segs)-1
		f, err := os.OpenFile(s.path(dir, segmentSuffix), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		good, err := scanSegment(f, final, func(h batchHead) {
			last = h
			switch {
			case h.open():
				open[h.producer] = transaction{h.producer, h.producerEp}
			case h.control():
				delete(open, h.producer)
			}
			if final {
				index = append(index, indexEntry(h)...)
			}
		})
		if err == nil && final {
			if good < s.size {
				log.Warn("embedded log: cutting off a torn end", "segment", f.Name(), "bytes", s.size-good)
			}
			index, err = finishSegment(f, good, last, open, committing, ended, index)
			if err == nil {
				err = writeSynced(s.path(dir, indexSuffix), index)
			}
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// finishSegment cuts a segment to its good bytes and appends the markers of
// open transactions; it returns the index with their entries.
func finishSegment(f *os.File, good int64, last batchHead, open map[int64]transaction,
	committing transaction, ended map[transaction]bool, index []byte,
) ([]byte, error) {
	if err := f.Truncate(good); err != nil {
		return nil, err
	}
	if _, err := f.Seek(good, io.SeekStart); err != nil {
		return nil, err
	}
	next, now := last.next, time.Now().UnixMilli()
	for _, t := range open {
		commit := t == committing
		marker := markerBatch(next, last.epoch, t.producer, t.epoch, commit, now)
		if _, err := f.Write(marker); err != nil {
			return nil, err
		}
		index = append(index, indexEntry(parseBatchHead(marker))...)
		ended[t] = commit
		next++
	}
	return index, f.Sync()
}

// writeSynced replaces a file's content.
func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) // #nosec G302 -- as kfake's own files
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// markOpen notes that the log is open, before anything can be written to it.
func markOpen(dir string) error { return writeSynced(filepath.Join(dir, openName), nil) }

// markClosed notes that everything was written in good order.
func markClosed(dir string) error { return os.Remove(filepath.Join(dir, openName)) }
